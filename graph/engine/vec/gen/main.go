//go:build avo

// Command gen writes the assembly of package vec for AVX2 with FMA.
//
//	go generate ./graph/engine/vec
package main

import (
	. "github.com/mmcloughlin/avo/build"

	"graft/graph/engine/internal/gen"
)

// outputs and lanes are those of package vec; a block's lanes fill two vectors.
const (
	outputs = 6
	halves  = 2
)

func main() {
	ConstraintExpr("amd64")
	elementwise()
	exponential()
	errorFunction()
	hyperbolicTangent()
	gelu()
	expSum()
	sums()
	largestOf()
	for r := 1; r <= outputs; r++ {
		taps(r)
	}
	correlate()
	maxTaps()
	halve()
	maxTapsGrad()
	widen()
	gen.Transpose8()
	Generate()
}
