package synthetic

import "math/rand/v2"

// dice draws numbers from a PCG stream by arithmetic of its own, so that they
// do not change with the methods of rand.Rand.
type dice struct{ pcg *rand.PCG }

func newDice(seed, stream uint64) dice { return dice{rand.NewPCG(seed, stream)} }

// uniform is a number in [lo,hi).
func (d dice) uniform(lo, hi float64) float64 {
	return lo + (hi-lo)*float64(d.pcg.Uint64()>>11)/(1<<53)
}

// normal is nearly normal with the given deviation: the sum of four uniform
// numbers, whose variance is a third, and so at most 2√3 deviations away.
func (d dice) normal(deviation float64) float64 {
	var s float64
	for range 4 {
		s += d.uniform(-1, 1)
	}
	return s * deviation * 0.8660254037844386 // √3/2
}

// chance is true with probability p.
func (d dice) chance(p float64) bool { return d.uniform(0, 1) < p }
