package graph

import "slices"

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

// MaxKeep is Max with the reduced axes kept as size 1.
func (g *Graph) MaxKeep(x *Node, over ...int) *Node { return g.reduce(OpReduceMax, x, over, true) }

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

func init() {
	register(OpReduceSum, spec{onnx: "ReduceSum", min: 1, max: 1, shape: reduceShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.Expand(kept(g, n, dy), n.in[0].shape...)}
		}})
	register(OpReduceMean, spec{onnx: "ReduceMean", min: 1, max: 1, shape: reduceShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			scale := float64(n.shape.Size()) / float64(n.in[0].shape.Size())
			return []*Node{g.Expand(g.Scale(kept(g, n, dy), scale), n.in[0].shape...)}
		}})
	// A maximum found k times gives each of them dy/k.
	register(OpReduceMax, spec{onnx: "ReduceMax", min: 1, max: 1, shape: reduceShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			hit := g.Where(g.Equal(n.in[0], kept(g, n, n)), g.Scalar(1), g.Scalar(0))
			count := g.SumKeep(hit, n.attrs.(ReduceAttrs).Axes...)
			return []*Node{g.Mul(hit, g.Div(kept(g, n, dy), count))}
		}})
}
