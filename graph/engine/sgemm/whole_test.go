package sgemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wholes are random whole numbers, at most so large, among them the largest.
func wholes(r *rand.Rand, n, largest int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.IntN(2*largest+1) - largest)
	}
	out[n/2] = float32(-largest)
	return out
}

// Sums of whole numbers are exact, and the same bits under every kernel where several blocks of them are added.
func TestWhole(t *testing.T) {
	want := map[string][]float32{}
	withKernels(t, func(t *testing.T) {
		for _, s := range []struct{ m, n, k int }{{1, 1, 1}, {1, 5, 2}, {3, 17, 31}, {7, 16, 33}, {13, 33, 127}, {50, 48, 512}, {5, 20, 1024}, {49, 70, 1537}} {
			for _, trans := range []bool{false, true} {
				largest := 128
				if s.m == 50 {
					largest = 255 // whose sums round
				}
				name := fmt.Sprintf("%v, transposed %v", s, trans)
				r := rand.New(rand.NewPCG(uint64(s.k), 1))
				a, b := wholes(r, s.m*s.k, 255), wholes(r, s.n*s.k, largest)
				ldb := s.n
				if trans {
					ldb = s.k
				}
				x, err := PackWhole(trans, s.k, s.n, b, ldb)
				if err != nil {
					t.Fatal(err)
				}
				c := make([]float32, s.m*s.n)
				Serial.GemmPacked(s.m, a, s.k, x, 0, s.n, c, s.n, nil)
				for i := range c {
					var sum, size int
					for p := range s.k {
						v := int(a[i/s.n*s.k+p]) * int(at(b, ldb, trans, p, i%s.n))
						sum, size = sum+v, size+max(v, -v)
					}
					if off := int(c[i]) - sum; max(off, -off) > size>>24 || s.k <= 512 && largest == 128 && off != 0 {
						t.Fatalf("%s: element %d is %g, want %d", name, i, c[i], sum)
					}
				}
				if first := want[name]; first != nil && !slices.Equal(c, first) {
					t.Errorf("%s: other bits than by the other kernel", name)
				}
				want[name] = c
			}
		}
	})
	withKernels(t, testNotWhole)
	for _, bad := range []float32{256, -256, 0.5, 1e9} {
		if _, err := PackWhole(false, 1, 1, []float32{bad}, 1); err == nil || !strings.Contains(err.Error(), "whole numbers of at most 255") {
			t.Errorf("%g: error %v", bad, err)
		}
	}
}

// testNotWhole wants NaN in the rows that have it, or a number that is too large, and in no others.
func testNotWhole(t *testing.T) {
	const m, n, k = 9, 18, 600
	x, err := PackWhole(false, k, n, wholes(rand.New(rand.NewPCG(1, 2)), k*n, 127), n)
	if err != nil {
		t.Fatal(err)
	}
	a, c := make([]float32, m*k), make([]float32, m*n)
	a[2*k+5], a[4*k+597], a[7*k+599] = float32(math.NaN()), float32(math.Inf(-1)), 256
	Serial.GemmPacked(m, a, k, x, 0, n, c, n, nil)
	for i, v := range c {
		if row := i / n; (v != v) != (row == 2 || row == 4 || row == 7) {
			t.Errorf("row %d, column %d: %g", row, i%n, v)
		}
	}
}
