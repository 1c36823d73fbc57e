//go:build !amd64

package sgemm

func native() []kernel { return nil }
