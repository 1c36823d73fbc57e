package dataset

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestKeep(t *testing.T) {
	open := func() *Dataset {
		d, err := Open(context.Background(), Ref{Path: SyntheticPath, PerClass: 4, Seed: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	whole, part := open(), open()
	indices := []int{3, 4, 30, 61}
	if err := part.Keep(indices); err != nil || len(part.Samples) != len(indices) {
		t.Fatalf("%d samples, %v, want %d", len(part.Samples), err, len(indices))
	}
	for to, from := range indices {
		a, errA := whole.Image(t.Context(), from)
		b, errB := part.Image(t.Context(), to)
		if errA != nil || errB != nil || !slices.Equal(a.Pix, b.Pix) || whole.Samples[from].ID != part.Samples[to].ID {
			t.Errorf("sample %d is not what sample %d was (%v, %v)", to, from, errA, errB)
		}
	}
	a, errA := whole.Fingerprint(context.Background())
	b, errB := part.Fingerprint(context.Background())
	if errA != nil || errB != nil || a == b {
		t.Errorf("fingerprints %s and %s (%v, %v), want two", a, b, errA, errB)
	}
	for _, wrong := range [][]int{{-1}, {1, 1}, {2, 1}, {4}} {
		if err := part.Keep(wrong); err == nil || !strings.Contains(err.Error(), "ascending") {
			t.Errorf("Keep(%v): error %v", wrong, err)
		}
	}
}
