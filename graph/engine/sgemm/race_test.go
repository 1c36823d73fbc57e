//go:build race

package sgemm

// The race detector makes sync.Pool drop values at random, and so allocate.
func init() { racing = true }
