// Package dense is the one place where tensors of gorgonia.org/tensor are made
// and read: contiguous, row-major ones of float32. Importing it puts package
// sgemm behind gorgonia's products.
//
// gorgonia's tensors have traps that the package's tests pin down, so that an
// upgrade that changes them is noticed: a transposed tensor's Data stays in the
// old order, a view's Data holds what lies between its elements, products of
// column views are silently wrong, slicing by a single index drops a dimension,
// Add does not broadcast, MatMul takes matrices only, and a scalar's Data is no
// slice. Tensors of this package are therefore never viewed or transposed.
package dense

import (
	"graft/graph/engine/sgemm"

	"gorgonia.org/tensor"
)

func init() { tensor.Use(sgemm.BLAS{}) }

// Of returns a tensor over data, in row-major order; the shape must have as many
// elements. They share memory: a write to one is seen in the other. A shape
// without dimensions becomes [1].
func Of(data []float32, shape ...int) *tensor.Dense {
	if len(shape) == 0 {
		shape = []int{1}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

// Float32s is the memory of a tensor that Of made: its elements in row-major
// order.
func Float32s(t *tensor.Dense) []float32 { return t.Float32s() }
