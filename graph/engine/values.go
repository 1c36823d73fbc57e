package engine

import (
	"gorgonia.org/tensor"

	"graft/graph"
	"graft/graph/engine/dense"
)

// newDense makes a gorgonia tensor over a value's memory.
func newDense(s graph.Shape, data []float32) *tensor.Dense {
	t, err := dense.Of(data, s...)
	if err != nil {
		panic("engine: " + err.Error()) // the compiler sized the memory by the shape
	}
	return t
}
