//go:build avo

// Command gen writes the assembly of package sgemm: matrix tiles, dot-product
// blocks, transposition, standardisation and narrowing, for AVX-512 and for AVX2 with FMA.
//
//	go generate ./graph/engine/sgemm
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"graft/graph/engine/internal/gen"
)

func main() {
	ConstraintExpr("amd64")
	for rows := 1; rows <= avx512.rows; rows++ {
		tile(avx512, rows, floats)
		tile(avx512, rows, pairs)
	}
	for rows := 1; rows <= avx2.rows; rows++ {
		tile(avx2, rows, floats)
		tile(avx2, rows, pairs)
	}
	for cols := 1; cols <= avx512.dotCols; cols++ {
		dot(avx512, cols)
	}
	for cols := 1; cols <= avx2.dotCols; cols++ {
		dot(avx2, cols)
	}
	gen.Transpose8()
	standardize(avx512)
	standardize(avx2)
	narrow()
	Generate()
}
