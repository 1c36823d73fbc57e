package augment

import (
	"math"
	"slices"
	"testing"
)

// TestBeta compares mean and variance with Beta(a,a)'s: 1/2 and 1/(4(2a+1)).
func TestBeta(t *testing.T) {
	for _, a := range []float64{0.01, 0.2, 0.5, 1} {
		s := newStream()
		const draws = 40000
		var sum, squares float64
		for i := range draws {
			s.start(1, forMixup, 0, i)
			v := s.beta(a)
			sum, squares = sum+v, squares+v*v
		}
		mean := sum / draws
		variance := squares/draws - mean*mean
		if want := 1 / (4 * (2*a + 1)); !(math.Abs(mean-0.5) < 0.01 && math.Abs(variance-want) < 0.005) {
			t.Errorf("a = %v: mean %v and variance %v, want 0.5 and %v", a, mean, variance, want)
		}
	}
}

// TestMix finds each row's share and partner from the targets, and wants the pixels to be mixed likewise.
func TestMix(t *testing.T) {
	const n, size = 16, 9
	a, err := New(Pipeline{Mixup: 0.5}, 1, 3, 3, 7, 2)
	if err != nil {
		t.Fatal(err)
	}
	indices := make([]int, n)
	x, targets := make([]float32, n*size+3), make([]float32, n*n+2)
	for i := range indices {
		indices[i] = 100 + i*3
		randomImage(x[i*size:(i+1)*size], i)
		targets[i*n+i] = 1 // every row its own class
	}
	before := slices.Clone(x)
	again, againTargets := slices.Clone(x), slices.Clone(targets)
	if err := a.Mix(x, targets, n, 2, indices); err != nil {
		t.Fatal(err)
	}
	partners := map[int]bool{}
	for r := range n {
		row := targets[r*n : (r+1)*n]
		share, other := row[r], -1
		for k, v := range row {
			if k != r && v > 0 {
				other = k
			}
		}
		if other < 0 || !(share >= 0.5 && share < 1) || !(math.Abs(float64(share+row[other]-1)) < 1e-6) {
			t.Fatalf("row %d has targets %v, want two that sum to 1 and its own the larger", r, row)
		}
		partners[other] = true
		for i := range size {
			want := share*before[r*size+i] + (1-share)*before[other*size+i]
			if !(math.Abs(float64(x[r*size+i]-want)) < 1e-6) {
				t.Fatalf("row %d, pixel %d: %v, want %v", r, i, x[r*size+i], want)
			}
		}
	}
	if len(partners) < 5 {
		t.Errorf("only %d rows are partners", len(partners))
	}
	if err := a.Mix(again, againTargets, n, 2, indices); err != nil || !slices.Equal(again, x) || !slices.Equal(againTargets, targets) {
		t.Errorf("mixing again gives other images (%v)", err)
	}
	if !slices.Equal(x[n*size:], before[n*size:]) {
		t.Error("what lies behind the batch has changed")
	}
}

func TestMixNothing(t *testing.T) {
	x, targets := []float32{0.1, 0.2, 0.3, 0.4}, []float32{1, 0, 0, 1}
	a, err := New(Pipeline{}, 1, 1, 2, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Mix(x, targets, 2, 0, []int{0, 1}); err != nil || x[0] != 0.1 || targets[0] != 1 {
		t.Errorf("without mixup the batch becomes %v %v, %v", x, targets, err)
	}
}

// TestStreams wants different numbers for every seed, purpose, epoch and index, neighbours above all.
func TestStreams(t *testing.T) {
	type key struct {
		seed                  uint64
		purpose, epoch, index int
	}
	seen := map[uint64]key{}
	s := newStream()
	for seed := range uint64(8) {
		for _, purpose := range []int{forImage, forMixup} {
			for epoch := range 8 {
				for index := range 8 {
					k := key{seed, purpose, epoch, index}
					s.start(k.seed, k.purpose, k.epoch, k.index)
					first := s.rand.Uint64()
					if other, twice := seen[first]; twice {
						t.Errorf("%+v and %+v begin with the same number", other, k)
					}
					seen[first] = k
				}
			}
		}
	}
}
