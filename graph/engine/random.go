package engine

import "math"

// Dropout's random numbers are a function of a counter, so that no state is shared between threads: the mixing step
// of SplitMix64 (Steele, Lea and Flood 2014) over seed, step and element.

const golden = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// dropoutKey joins seed and step.
func dropoutKey(seed uint64, step float64) uint64 {
	return mix(mix(seed+golden) + uint64(int64(step))*golden)
}

// dropoutLimit is the number below which an element's 32 random bits zero it.
func dropoutLimit(p float64) uint64 { return uint64(math.Round(p * (1 << 32))) }

// dropoutKeeps decides about element i. One mixing gives the bits of two neighbours.
func dropoutKeeps(key, limit uint64, i int) bool {
	bits := mix(key + uint64(i>>1)*golden)
	return bits>>(uint(i&1)*32)&0xffffffff >= limit
}
