package engine

import (
	"math"

	"graft/internal/splitmix"
)

// Dropout's random numbers are a function of a counter, so that no state is shared between threads: SplitMix64
// over seed, step and element.

// dropoutKey joins seed and step.
func dropoutKey(seed uint64, step float64) uint64 {
	return splitmix.Mix(splitmix.Next(seed) + uint64(int64(step))*splitmix.Gamma)
}

// dropoutLimit is the number below which an element's 32 random bits zero it.
func dropoutLimit(p float64) uint64 { return uint64(math.Round(p * (1 << 32))) }

// dropoutKeeps decides about element i. One mixing gives the bits of two neighbours.
func dropoutKeeps(key, limit uint64, i int) bool {
	bits := splitmix.Mix(key + uint64(i>>1)*splitmix.Gamma)
	return bits>>(uint(i&1)*32)&0xffffffff >= limit
}
