package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Operations that join tensors, cut them, or put zeros around them.
const (
	OpConcat Op = "Concat"
	OpSlice  Op = "Slice"
	OpPad    Op = "Pad"
)

// ConcatAttrs is the axis along which operands are joined.
type ConcatAttrs struct{ Axis int }

// SliceAttrs holds, per axis, the first index taken and the one after the last.
type SliceAttrs struct{ Starts, Ends []int }

// PadAttrs holds, per axis, how many zeros are put before and after.
type PadAttrs struct{ Before, After []int }

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

func concatNaive(n *Node, in [][]float64) ([]float64, error) {
	ax, at := n.attrs.(ConcatAttrs).Axis, 0
	out, strides := make([]float64, n.shape.Size()), n.shape.Strides()
	for i, x := range n.in {
		for from, index := range x.shape.Indices() {
			out[Offset(strides, index)+at*strides[ax]] = in[i][from]
		}
		at += x.shape[ax]
	}
	return out, nil
}

func sliceNaive(n *Node, in [][]float64) ([]float64, error) {
	strides := n.in[0].shape.Strides()
	start, out := Offset(strides, n.attrs.(SliceAttrs).Starts), make([]float64, n.shape.Size())
	for at, index := range n.shape.Indices() {
		out[at] = in[0][start+Offset(strides, index)]
	}
	return out, nil
}

func padNaive(n *Node, in [][]float64) ([]float64, error) {
	strides := n.shape.Strides()
	start, out := Offset(strides, n.attrs.(PadAttrs).Before), make([]float64, n.shape.Size())
	for from, index := range n.in[0].shape.Indices() {
		out[start+Offset(strides, index)] = in[0][from]
	}
	return out, nil
}

func concatBatch(w *Writer, n *Node) error {
	if n.attrs.(ConcatAttrs).Axis == 0 {
		return errors.New("it joins along the batch")
	}
	for _, x := range n.in {
		if !w.Batched[x] {
			return fmt.Errorf("operand %v does not depend on the batch and has no rows for it: pad with zeros and add it instead", x)
		}
	}
	return nil
}

// writeSlice names only the axes that it cuts.
func writeSlice(w *Writer, n *Node) string {
	a, s := n.attrs.(SliceAttrs), n.in[0].shape
	var axes, starts, ends []int
	for i, size := range s {
		if a.Starts[i] != 0 || a.Ends[i] != size {
			axes, starts, ends = append(axes, i), append(starts, a.Starts[i]), append(ends, a.Ends[i])
		}
	}
	if len(axes) == 0 {
		return w.Op("Identity", n.name, w.operands(n))
	}
	return w.Op("Slice", n.name, w.operands(n, w.ints(n, "starts", starts), w.ints(n, "ends", ends), w.ints(n, "axes", axes)))
}

func init() {
	register(OpConcat, row{min: 1, max: 1 << 16, shape: concatShape, grad: concatGrad, naive: concatNaive, batch: concatBatch,
		write:    func(w *Writer, n *Node) string { return w.operator(n, attr("axis", int64(n.attrs.(ConcatAttrs).Axis))) },
		fixtures: []string{"concat"}})
	register(OpSlice, row{min: 1, max: 1, shape: sliceShape, grad: sliceGrad, naive: sliceNaive, batch: batchUncut,
		write: writeSlice, fixtures: []string{"slice"}})
	register(OpPad, row{min: 1, max: 1, shape: padShape, grad: padGrad, naive: padNaive, batch: batchUncut,
		write: func(w *Writer, n *Node) string {
			a := n.attrs.(PadAttrs)
			return w.Op("Pad", n.name, w.operands(n, w.ints(n, "pads", slices.Concat(a.Before, a.After))))
		},
		fixtures: []string{"pad"}})
}
