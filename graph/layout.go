package graph

import (
	"fmt"
	"slices"
)

// Operations that move elements without computing.
const (
	OpReshape   Op = "Reshape"
	OpTranspose Op = "Transpose"
	OpExpand    Op = "Expand"
	OpConcat    Op = "Concat"
	OpSlice     Op = "Slice"
	OpPad       Op = "Pad"
)

// ShapeAttrs is the wanted shape of Reshape and Expand.
type ShapeAttrs struct{ Shape Shape }

// TransposeAttrs says which axis of the operand becomes each axis of the result.
type TransposeAttrs struct{ Perm []int }

// ConcatAttrs is the axis along which operands are joined.
type ConcatAttrs struct{ Axis int }

// SliceAttrs holds, per axis, the first index taken and the one after the last.
type SliceAttrs struct{ Starts, Ends []int }

// PadAttrs holds, per axis, how many zeros are put before and after.
type PadAttrs struct{ Before, After []int }

// Reshape reads the elements, in row-major order, as another shape; one size may be -1 and is computed.
func (g *Graph) Reshape(x *Node, shape ...int) *Node {
	s := Shape(slices.Clone(shape))
	if i := slices.Index(s, -1); i >= 0 && x != nil && g.err == nil {
		s[i] = 1
		if rest := s.Size(); rest > 0 {
			s[i] = x.shape.Size() / rest
		}
	}
	return g.apply(OpReshape, ShapeAttrs{s}, x)
}

// Transpose orders the axes anew: axis i of the result is axis perm[i] of x. Without perm the last two are swapped.
func (g *Graph) Transpose(x *Node, perm ...int) *Node {
	p := slices.Clone(perm)
	if len(p) == 0 && x != nil && len(x.shape) >= 2 {
		for i := range x.shape {
			p = append(p, i)
		}
		r := len(p)
		p[r-1], p[r-2] = p[r-2], p[r-1]
	}
	return g.apply(OpTranspose, TransposeAttrs{p}, x)
}

// Expand repeats x to a shape it broadcasts to.
func (g *Graph) Expand(x *Node, shape ...int) *Node {
	return g.apply(OpExpand, ShapeAttrs{slices.Clone(shape)}, x)
}

// Concat joins tensors, equal in all other sizes, along an axis.
func (g *Graph) Concat(ax int, xs ...*Node) *Node {
	if len(xs) > 0 && xs[0] != nil && ax < 0 {
		ax += len(xs[0].shape)
	}
	return g.apply(OpConcat, ConcatAttrs{ax}, slices.Clone(xs)...)
}

// Slice takes the indices start…end-1 along one axis.
func (g *Graph) Slice(x *Node, ax, start, end int) *Node {
	if x == nil || g.err != nil {
		return g.apply(OpSlice, nil, x)
	}
	a, err := axis(ax, len(x.shape))
	if err != nil {
		return g.fail(fmt.Errorf("%sSlice of %v: %w", g.scope, x, err))
	}
	starts, ends := make([]int, len(x.shape)), slices.Clone(x.shape)
	starts[a], ends[a] = start, end
	return g.apply(OpSlice, SliceAttrs{starts, ends}, x)
}

// Pad puts zeros around x: before[i] and after[i] of them along axis i.
func (g *Graph) Pad(x *Node, before, after []int) *Node {
	return g.apply(OpPad, PadAttrs{slices.Clone(before), slices.Clone(after)}, x)
}

func reshapeShape(in []*Node, attrs any) (Shape, Type, error) {
	s := attrs.(ShapeAttrs).Shape
	if err := s.check(); err != nil {
		return nil, 0, err
	}
	if s.Size() != in[0].shape.Size() {
		return nil, 0, fmt.Errorf("shape %v wants %d elements, got %d", s, s.Size(), in[0].shape.Size())
	}
	return s, in[0].typ, nil
}

func transposeShape(in []*Node, attrs any) (Shape, Type, error) {
	perm, s := attrs.(TransposeAttrs).Perm, in[0].shape
	sorted := slices.Sorted(slices.Values(perm))
	out := make(Shape, len(s))
	for i := range out {
		if len(perm) != len(s) || sorted[i] != i {
			return nil, 0, fmt.Errorf("wanted a permutation of %d axes, got %v", len(s), perm)
		}
		out[i] = s[perm[i]]
	}
	return out, in[0].typ, nil
}

func expandShape(in []*Node, attrs any) (Shape, Type, error) {
	want := attrs.(ShapeAttrs).Shape
	s, err := Broadcast(in[0].shape, want)
	if err == nil && !s.Equal(want) {
		err = fmt.Errorf("shape %v does not expand to %v", in[0].shape, want)
	}
	return want, in[0].typ, err
}

func concatShape(in []*Node, attrs any) (Shape, Type, error) {
	ax, out := attrs.(ConcatAttrs).Axis, slices.Clone(in[0].shape)
	if ax < 0 || ax >= len(out) {
		return nil, 0, fmt.Errorf("axis %d is outside a tensor of rank %d", ax, len(out))
	}
	for i, n := range in[1:] {
		other := slices.Clone(n.shape)
		if len(other) == len(out) {
			other[ax] = in[0].shape[ax]
		}
		if !other.Equal(in[0].shape) || n.typ != in[0].typ {
			return nil, 0, fmt.Errorf("operand %d: wanted %s %v except along axis %d, got %s %v",
				i+1, in[0].typ, in[0].shape, ax, n.typ, n.shape)
		}
		out[ax] += n.shape[ax]
	}
	return out, in[0].typ, nil
}

func sliceShape(in []*Node, attrs any) (Shape, Type, error) {
	a, s := attrs.(SliceAttrs), in[0].shape
	out := make(Shape, len(s))
	for i := range s {
		if a.Starts[i] < 0 || a.Ends[i] > s[i] || a.Starts[i] >= a.Ends[i] {
			return nil, 0, fmt.Errorf("axis %d: range %d to %d is empty or outside size %d", i, a.Starts[i], a.Ends[i], s[i])
		}
		out[i] = a.Ends[i] - a.Starts[i]
	}
	return out, in[0].typ, nil
}

func padShape(in []*Node, attrs any) (Shape, Type, error) {
	a, s := attrs.(PadAttrs), in[0].shape
	if len(a.Before) != len(s) || len(a.After) != len(s) {
		return nil, 0, fmt.Errorf("wanted padding for %d axes, got %v and %v", len(s), a.Before, a.After)
	}
	out := make(Shape, len(s))
	for i := range s {
		if a.Before[i] < 0 || a.After[i] < 0 {
			return nil, 0, fmt.Errorf("axis %d: negative padding %d, %d", i, a.Before[i], a.After[i])
		}
		out[i] = a.Before[i] + s[i] + a.After[i]
	}
	return out, Float, wantTypes(in, Float)
}

func transposeGrad(g *Graph, n, dy *Node) []*Node {
	perm := n.attrs.(TransposeAttrs).Perm
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	return []*Node{g.Transpose(dy, inverse...)}
}

func concatGrad(g *Graph, n, dy *Node) []*Node {
	ax, at := n.attrs.(ConcatAttrs).Axis, 0
	out := make([]*Node, len(n.in))
	for i, x := range n.in {
		out[i] = g.Slice(dy, ax, at, at+x.shape[ax])
		at += x.shape[ax]
	}
	return out
}

func sliceGrad(g *Graph, n, dy *Node) []*Node {
	a, s := n.attrs.(SliceAttrs), n.in[0].shape
	after := make([]int, len(s))
	for i := range s {
		after[i] = s[i] - a.Ends[i]
	}
	return []*Node{g.Pad(dy, a.Starts, after)}
}

func padGrad(g *Graph, n, dy *Node) []*Node {
	a, s := n.attrs.(PadAttrs), n.in[0].shape
	ends := make([]int, len(s))
	for i := range s {
		ends[i] = a.Before[i] + s[i]
	}
	return []*Node{g.apply(OpSlice, SliceAttrs{a.Before, ends}, dy)}
}

func init() {
	register(OpReshape, spec{onnx: "Reshape", min: 1, max: 1, shape: reshapeShape,
		grad: func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Reshape(dy, n.in[0].shape...)} }})
	register(OpTranspose, spec{onnx: "Transpose", min: 1, max: 1, shape: transposeShape, grad: transposeGrad})
	register(OpExpand, spec{onnx: "Expand", min: 1, max: 1, broadcast: true, shape: expandShape,
		grad: func(_ *Graph, _, dy *Node) []*Node { return []*Node{dy} }})
	register(OpConcat, spec{onnx: "Concat", min: 1, max: 1 << 16, shape: concatShape, grad: concatGrad})
	register(OpSlice, spec{onnx: "Slice", min: 1, max: 1, shape: sliceShape, grad: sliceGrad})
	register(OpPad, spec{onnx: "Pad", min: 1, max: 1, shape: padShape, grad: padGrad})
}
