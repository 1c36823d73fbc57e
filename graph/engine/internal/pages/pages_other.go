//go:build !linux

package pages

func prefer([]float32) {}
