// Package splitmix makes random numbers of counters, without any state that
// threads would share: SplitMix64 (Steele, Lea and Flood 2014).
package splitmix

// Gamma is what the generator's counter goes up by, an odd number near 2⁶⁴
// divided by the golden ratio.
const Gamma = 0x9e3779b97f4a7c15

// Next is the number that follows state x.
func Next(x uint64) uint64 { return Mix(x + Gamma) }

// Mix is the generator's finaliser: every bit of x moves half of the result's.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
