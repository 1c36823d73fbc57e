package throughput

import (
	"runtime"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	cores := runtime.NumCPU()
	for _, c := range []struct {
		ratio, needs float64
		threads      int
		want         string
	}{
		{0.99, 0.5, 0, "the network is"},
		{0.7, 0.5, 0, "which network and decoding share, is"}, // no core is left to decoding
		{0.7, float64(cores) + 0.5, 0, "decoding is"},         // all cores are too few
		{0.7, float64(cores) + 0.5, cores + 3, "decoding is"}, // more threads than cores
		{0.7, 1.5, 1, "decoding is"},                          // more than its one
		{0.7, -0.5, cores, "other work on this machine"},      // it would fit
		{1.01, float64(cores) + 1, 1, "the network is"},       // the ratio decides first
	} {
		if got := verdict(c.ratio, c.needs, c.threads); !strings.Contains(got, c.want) {
			t.Errorf("verdict(%v, %v, %d) = %q, want %q", c.ratio, c.needs, c.threads, got, c.want)
		}
	}
}
