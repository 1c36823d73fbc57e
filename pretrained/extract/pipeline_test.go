package extract

import "testing"

func TestDecoders(t *testing.T) {
	for _, c := range []struct{ cores, threads, want int }{{2, 0, 2}, {2, 1, 1}, {2, 2, 2}, {8, 2, 6}, {1, 4, 1}} {
		if got := decoders(c.cores, c.threads); got != c.want {
			t.Errorf("%d cores, %d threads for the network: %d decoders, wanted %d", c.cores, c.threads, got, c.want)
		}
	}
}
