// Package dense is the one place where tensors of gorgonia.org/tensor are made:
// contiguous and row-major ones of float32. It also reads any float32 tensor as
// such, and multiplies matrices. Importing it puts package sgemm behind
// gorgonia's products.
//
// gorgonia's tensors have traps that this package keeps away from, and that its
// tests pin down: a transposed tensor's Data stays in the old order, a view's
// Data holds what lies between its elements, products of column views are
// silently wrong, slicing by a single index drops a dimension, and Add does not
// broadcast.
package dense

import (
	"fmt"
	"math"

	"graft/finetune/engine/sgemm"

	"gorgonia.org/tensor"
)

func init() { tensor.Use(sgemm.BLAS{}) }

// New returns a tensor of zeros. A shape without dimensions is a scalar; sizes
// below 1 panic, as in make.
func New(shape ...int) *tensor.Dense {
	n, err := size(shape)
	if err != nil {
		panic("dense: " + err.Error())
	}
	return wrap(make([]float32, n), shape)
}

// Of returns a tensor over data, in row-major order. They share memory: a write
// to one is seen in the other.
func Of(data []float32, shape ...int) (*tensor.Dense, error) {
	n, err := size(shape)
	if err != nil {
		return nil, err
	}
	if n != len(data) {
		return nil, fmt.Errorf("shape %v holds %d elements, got %d", shape, n, len(data))
	}
	return wrap(data, shape), nil
}

func wrap(data []float32, shape []int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

func size(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 1 || n > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v: want sizes of 1 or more", shape)
		}
		n *= d
	}
	return n, nil
}

// Float32s returns the elements of t in row-major order: its own memory if it is
// laid out so, else a copy. A tensor of another type is an error.
func Float32s(t *tensor.Dense) ([]float32, error) {
	if t.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("tensor of %v is %v, want float32", t.Shape(), t.Dtype())
	}
	if plain(t) {
		return t.Float32s(), nil
	}
	// Element by element: gorgonia's own copies follow the order of memory.
	shape := t.Shape()
	out := make([]float32, shape.TotalSize())
	at := make([]int, len(shape))
	for i := range out {
		v, err := t.At(at...)
		if err != nil {
			return nil, fmt.Errorf("tensor of %v at %v: %w", shape, at, err)
		}
		out[i] = v.(float32)
		for d := len(at) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
	return out, nil
}

// plain tells whether memory order is row-major order without gaps.
func plain(t *tensor.Dense) bool {
	if t.Dtype() != tensor.Float32 || t.IsMasked() || len(t.Float32s()) != t.Shape().TotalSize() {
		return false
	}
	step := 1
	strides := t.Strides()
	for d := len(t.Shape()) - 1; d >= 0; d-- {
		if t.Shape()[d] > 1 && (d >= len(strides) || strides[d] != step) {
			return false
		}
		step *= t.Shape()[d]
	}
	return true
}

// Rows returns rows [from,to) of a contiguous tensor, sharing its memory. Unlike
// a slice of gorgonia's, a single row keeps the rank.
func Rows(t *tensor.Dense, from, to int) (*tensor.Dense, error) {
	shape := t.Shape().Clone()
	if len(shape) == 0 || !plain(t) {
		return nil, fmt.Errorf("rows of a tensor of %v: want a contiguous float32 tensor with rows", shape)
	}
	if from < 0 || to > shape[0] || from >= to {
		return nil, fmt.Errorf("rows %d to %d of a tensor of %v", from, to, shape)
	}
	width := shape.TotalSize() / shape[0]
	shape[0] = to - from
	return wrap(t.Float32s()[from*width:to*width], shape), nil
}

// MatMul sets dst [m,n] to op(a)·op(b), op(a) being [m,k], op(b) [k,n] and op the
// transposition where asked for. All three must be contiguous matrices, and dst
// must share no memory with the others.
func MatMul(dst, a, b *tensor.Dense, transA, transB bool) error {
	left, err := operand("left", a, transA)
	if err != nil {
		return err
	}
	right, err := operand("right", b, transB)
	if err != nil {
		return err
	}
	if _, err := operand("result", dst, false); err != nil {
		return err
	}
	l, r, d := left.Shape(), right.Shape(), dst.Shape()
	if l[1] != r[0] || d[0] != l[0] || d[1] != r[1] {
		return fmt.Errorf("product of %v and %v into %v", l, r, d)
	}
	_, err = tensor.MatMul(left, right, tensor.WithReuse(dst))
	return err
}

// operand is a header of its own over t's memory, so that t stays as it is.
func operand(name string, t *tensor.Dense, trans bool) (*tensor.Dense, error) {
	if len(t.Shape()) != 2 || !plain(t) {
		return nil, fmt.Errorf("%s matrix has shape %v: want a contiguous float32 matrix", name, t.Shape())
	}
	m := wrap(t.Float32s(), t.Shape())
	if !trans {
		return m, nil
	}
	return m, m.T()
}
