package engine

import (
	"gorgonia.org/tensor"

	"graft/finetune/engine/dense"
	"graft/finetune/graph"
)

// newDense makes a gorgonia tensor over a value's memory. These tensors are never viewed or transposed, so that their
// data is the elements in order.
func newDense(s graph.Shape, data []float32) *tensor.Dense {
	shape := []int(s)
	if len(shape) == 0 {
		shape = []int{1} // gorgonia's scalars are not slices
	}
	t, err := dense.Of(data, shape...)
	if err != nil {
		panic("engine: " + err.Error()) // the compiler sized the memory by the shape
	}
	return t
}

func backing(t *tensor.Dense) []float32 { return t.Data().([]float32) }
