package augment

import (
	"math"
	"math/rand/v2"

	"graft/internal/splitmix"
)

// What a stream of random numbers is for: the same image's streams must not be the same numbers.
const (
	forImage = 1
	forMixup = 2
)

// stream is a generator that is set anew for each image.
type stream struct {
	pcg  rand.PCG
	rand *rand.Rand
}

func newStream() *stream {
	s := &stream{}
	s.rand = rand.New(&s.pcg)
	return s
}

// start begins the numbers of one image in one epoch. Each part is mixed in by itself: in a sum of seed and purpose,
// one seed's mixup would be its neighbour's images.
func (s *stream) start(seed uint64, purpose, epoch, index int) {
	h := splitmix.Next(seed)
	for _, part := range [...]int{purpose, epoch, index} {
		h = splitmix.Next(h ^ uint64(part))
	}
	s.pcg.Seed(h, splitmix.Next(h))
}

// around draws between -bound and bound.
func (s *stream) around(bound float64) float64 { return (2*s.rand.Float64() - 1) * bound }

// chance is true with a probability.
func (s *stream) chance(p float64) bool { return s.rand.Float64() < p }

// beta draws from the Beta(a,a) distribution for 0 < a ≤ 1 by Jöhnk's method, in logarithms, as U^(1/a) underflows for
// small a.
func (s *stream) beta(a float64) float64 {
	for {
		x := math.Log(1-s.rand.Float64()) / a // of 1-U, which is never 0
		y := math.Log(1-s.rand.Float64()) / a
		if math.Exp(x)+math.Exp(y) <= 1 {
			return 1 / (1 + math.Exp(y-x))
		}
	}
}
