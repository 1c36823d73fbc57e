package graph

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
)

// Operations that give the same elements another shape or order.
const (
	OpReshape   Op = "Reshape"
	OpTranspose Op = "Transpose"
	OpExpand    Op = "Expand"
)

// shapeAttrs is the wanted shape of Reshape and Expand.
type shapeAttrs struct{ Shape Shape }

// TransposeAttrs says which axis of the operand becomes each axis of the result.
type TransposeAttrs struct{ Perm []int }

// Reshape reads the elements, in row-major order, as another shape; one size may be -1 and is computed.
func (g *Graph) Reshape(x *Node, shape ...int) *Node {
	s := Shape(slices.Clone(shape))
	if i := slices.Index(s, -1); i >= 0 && x != nil && g.err == nil {
		s[i] = 1
		if rest := s.Size(); rest > 0 {
			s[i] = x.shape.Size() / rest
		}
	}
	return g.apply(OpReshape, shapeAttrs{s}, x)
}

// Transpose orders the axes anew: axis i of the result is axis perm[i] of x. Without perm the last two are swapped.
func (g *Graph) Transpose(x *Node, perm ...int) *Node {
	p := slices.Clone(perm)
	if len(p) == 0 && x != nil && len(x.shape) >= 2 {
		p = swapLast(len(x.shape))
	}
	return g.apply(OpTranspose, TransposeAttrs{p}, x)
}

// Expand repeats x to a shape it broadcasts to.
func (g *Graph) Expand(x *Node, shape ...int) *Node {
	return g.apply(OpExpand, shapeAttrs{slices.Clone(shape)}, x)
}

// swapLast is the order of axes with the last two exchanged; the rank is at least 2.
func swapLast(rank int) []int {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[rank-1], perm[rank-2] = rank-2, rank-1
	return perm
}

func reshapeShape(in []*Node, attrs any) (Shape, Type, error) {
	s := attrs.(shapeAttrs).Shape
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
	ok := len(perm) == len(s)
	for i, p := range slices.Sorted(slices.Values(perm)) {
		ok = ok && p == i
	}
	if !ok {
		return nil, 0, fmt.Errorf("wanted a permutation of %d axes, got %v", len(s), perm)
	}
	out := make(Shape, len(s))
	for i, p := range perm {
		out[i] = s[p]
	}
	return out, in[0].typ, nil
}

func expandShape(in []*Node, attrs any) (Shape, Type, error) {
	want := attrs.(shapeAttrs).Shape
	s, err := broadcast(in[0].shape, want)
	if err == nil && !s.Equal(want) {
		err = fmt.Errorf("shape %v does not expand to %v", in[0].shape, want)
	}
	return want, in[0].typ, err
}

func transposeGrad(g *Graph, n, dy *Node) []*Node {
	perm := n.attrs.(TransposeAttrs).Perm
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	return []*Node{g.Transpose(dy, inverse...)}
}

func transposeNaive(n *Node, in [][]float64) ([]float64, error) {
	own := n.in[0].shape.Strides()
	strides := make([]int, len(own))
	for i, p := range n.attrs.(TransposeAttrs).Perm {
		strides[i] = own[p]
	}
	out := make([]float64, n.shape.Size())
	for at, index := range n.shape.Indices() {
		out[at] = in[0][Offset(strides, index)]
	}
	return out, nil
}

// reshapeBatch: as the batch is outermost, any shape with a first axis will do.
func reshapeBatch(_ *Writer, n *Node) error {
	if len(n.shape) == 0 {
		return errors.New("a scalar has no axis for the batch")
	}
	return nil
}

func transposeBatch(_ *Writer, n *Node) error {
	if perm := n.attrs.(TransposeAttrs).Perm; perm[0] != 0 {
		return fmt.Errorf("the order of axes %v moves the batch away from the front", perm)
	}
	return nil
}

// writeShaped adds Reshape or Expand to n's shape, of which the first size is another one where it is the batch.
func writeShaped(batched int) func(w *Writer, n *Node) string {
	return func(w *Writer, n *Node) string {
		to := slices.Clone([]int(n.shape))
		if w.Batched[n] {
			to[0] = batched
		}
		return w.Op(string(n.op), n.name, w.operands(n, w.ints(n, "shape", to)))
	}
}

func permutation(perm []int) onnx.Attr { return attr("perm", int64s(perm)) }

func init() {
	register(OpReshape, row{min: 1, max: 1, shape: reshapeShape, batch: reshapeBatch,
		naive:    func(_ *Node, in [][]float64) ([]float64, error) { return in[0], nil },
		grad:     func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Reshape(dy, n.in[0].shape...)} },
		write:    writeShaped(-1), // left open
		fixtures: []string{"reshape"}})
	register(OpTranspose, row{min: 1, max: 1, shape: transposeShape, grad: transposeGrad, naive: transposeNaive, batch: transposeBatch,
		write:    func(w *Writer, n *Node) string { return w.operator(n, permutation(n.attrs.(TransposeAttrs).Perm)) },
		fixtures: []string{"transpose"}})
	register(OpExpand, row{min: 1, max: 1, broadcast: true, shape: expandShape, batch: batchBroadcasts,
		point:    func(v [3]float64, _ any) float64 { return v[0] },
		grad:     func(_ *Graph, _, dy *Node) []*Node { return []*Node{dy} },
		write:    writeShaped(1), // which broadcasts to any
		fixtures: []string{"expand"}})
}
