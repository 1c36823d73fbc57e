package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLargest: rows of all lengths give the greatest number wherever it is, and a NaN stays.
func TestLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 300; n++ {
		v := make([]float32, n)
		for i := range v {
			v[i] = r.Float32() - 2
		}
		if got, want := largest(v[0], v), slices.Max(v); got != want {
			t.Errorf("largest of %d numbers is %g, want %g", n, got, want)
		}
		v[r.IntN(n)] = float32(math.NaN())
		if got := largest(v[0], v); got == got {
			t.Errorf("largest of %d numbers with a NaN is %g", n, got)
		}
	}
}
