package graph

import (
	"errors"
	"math"
	"slices"
)

// Reductions over axes.
const (
	OpReduceSum  Op = "ReduceSum"
	OpReduceMean Op = "ReduceMean"
	OpReduceMax  Op = "ReduceMax"
)

// ReduceAttrs holds the reduced axes, in order, and whether they stay as size 1.
type ReduceAttrs struct {
	Axes []int
	Keep bool
}

// Sum adds over the given axes and drops them; none given means all.
func (g *Graph) Sum(x *Node, over ...int) *Node { return g.reduce(OpReduceSum, x, over, false) }

// Mean averages over the given axes and drops them; none given means all.
func (g *Graph) Mean(x *Node, over ...int) *Node { return g.reduce(OpReduceMean, x, over, false) }

// Max takes the largest value over the given axes and drops them; none given means all. Its gradient is spread evenly
// over equal maxima.
func (g *Graph) Max(x *Node, over ...int) *Node { return g.reduce(OpReduceMax, x, over, false) }

// SumKeep is Sum with the reduced axes kept as size 1.
func (g *Graph) SumKeep(x *Node, over ...int) *Node { return g.reduce(OpReduceSum, x, over, true) }

// MeanKeep is Mean with the reduced axes kept as size 1.
func (g *Graph) MeanKeep(x *Node, over ...int) *Node { return g.reduce(OpReduceMean, x, over, true) }

func (g *Graph) reduce(op Op, x *Node, over []int, keep bool) *Node {
	if x == nil || g.err != nil {
		return g.apply(op, nil, x)
	}
	list, err := axes(over, len(x.shape))
	if err != nil {
		list = over // the shape rule reports it
	}
	return g.apply(op, ReduceAttrs{list, keep}, x)
}

// reducedShape is the operand's shape without the reduced axes, or with them as size 1.
func reducedShape(s Shape, over []int, keep bool) Shape {
	out := Shape{}
	for i, d := range s {
		switch {
		case !slices.Contains(over, i):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

func reduceShape(in []*Node, attrs any) (Shape, Type, error) {
	a := attrs.(ReduceAttrs)
	if _, err := axes(a.Axes, len(in[0].shape)); err != nil {
		return nil, 0, err
	}
	return reducedShape(in[0].shape, a.Axes, a.Keep), Float, wantTypes(in, Float)
}

// kept gives a reduction's result (or its gradient) the reduced axes back, as size 1.
func kept(g *Graph, n, y *Node) *Node {
	return g.Reshape(y, reducedShape(n.in[0].shape, n.attrs.(ReduceAttrs).Axes, true)...)
}

// reduceNaive folds f over the reduced axes, beginning with start.
func reduceNaive(start float64, f func(a, x float64) float64) func(*Node, [][]float64) ([]float64, error) {
	return func(n *Node, in [][]float64) ([]float64, error) {
		s := n.in[0].shape
		out := make([]float64, n.shape.Size())
		strides := reducedShape(s, n.attrs.(ReduceAttrs).Axes, true).StridesIn(s)
		for i := range out {
			out[i] = start
		}
		for at, index := range s.Indices() {
			o := &out[Offset(strides, index)]
			*o = f(*o, in[0][at])
		}
		return out, nil
	}
}

func reduceBatch(_ *Writer, n *Node) error {
	if slices.Contains(n.attrs.(ReduceAttrs).Axes, 0) {
		return errors.New("it reduces over the batch")
	}
	return nil
}

func writeReduce(w *Writer, n *Node) string {
	a := n.attrs.(ReduceAttrs)
	if len(a.Axes) == 0 { // a scalar: an empty list would mean all axes, of which it has none
		return w.Op("Identity", n.name, w.operands(n))
	}
	return w.Op(string(n.op), n.name, w.operands(n, w.ints(n, "axes", a.Axes)), attr("keepdims", flag(a.Keep)))
}

func plus(a, x float64) float64 { return a + x }

func init() {
	reduction := row{min: 1, max: 1, shape: reduceShape, batch: reduceBatch, write: writeReduce}

	sum := reduction
	sum.naive, sum.fixtures = reduceNaive(0, plus), []string{"sum", "sum_all", "sum_columns"}
	sum.grad = func(g *Graph, n, dy *Node) []*Node {
		return []*Node{g.Expand(kept(g, n, dy), n.in[0].shape...)}
	}
	register(OpReduceSum, sum)

	mean := reduction
	mean.fixtures = []string{"mean"}
	mean.naive = func(n *Node, in [][]float64) ([]float64, error) {
		out, err := sum.naive(n, in)
		for i := range out {
			out[i] *= float64(len(out)) / float64(len(in[0]))
		}
		return out, err
	}
	mean.grad = func(g *Graph, n, dy *Node) []*Node {
		scale := float64(n.shape.Size()) / float64(n.in[0].shape.Size())
		return []*Node{g.Expand(g.Scale(kept(g, n, dy), scale), n.in[0].shape...)}
	}
	register(OpReduceMean, mean)

	largest := reduction
	largest.naive, largest.fixtures = reduceNaive(math.Inf(-1), math.Max), []string{"max", "max_columns"}
	// A maximum found k times gives each of them dy/k.
	largest.grad = func(g *Graph, n, dy *Node) []*Node {
		hit := g.Where(g.Equal(n.in[0], kept(g, n, n)), g.Scalar(1), g.Scalar(0))
		count := g.SumKeep(hit, n.attrs.(ReduceAttrs).Axes...)
		return []*Node{g.Mul(hit, g.Div(kept(g, n, dy), count))}
	}
	register(OpReduceMax, largest)
}
