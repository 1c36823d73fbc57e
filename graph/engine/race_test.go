//go:build race

package engine

// raceDetector tells that allocations cannot be counted: sync.Pool forgets at random under it.
const raceDetector = true
