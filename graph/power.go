package graph

import "math"

// OpPow raises to a fixed power.
const OpPow Op = "Pow"

// PowAttrs is the exponent.
type PowAttrs struct{ Exponent float64 }

// Pow is xᵉ for a fixed exponent e; squares, cubes, roots and reciprocals are made of other operations.
func (g *Graph) Pow(x *Node, e float64) *Node {
	switch e {
	case 0:
		if x != nil {
			return g.Expand(g.Scalar(1), x.shape...)
		}
	case 1:
		return x
	case 2:
		return g.Mul(x, x)
	case 3:
		return g.Mul(g.Mul(x, x), x)
	case 0.5:
		return g.Sqrt(x)
	case -1:
		return g.Div(g.Scalar(1), x)
	case -0.5:
		return g.Div(g.Scalar(1), g.Sqrt(x))
	}
	return g.apply(OpPow, PowAttrs{e}, x)
}

func init() {
	register(OpPow, row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts,
		point: func(v [3]float64, attrs any) float64 { return math.Pow(v[0], attrs.(PowAttrs).Exponent) },
		grad: func(g *Graph, n, dy *Node) []*Node {
			e := n.attrs.(PowAttrs).Exponent
			return []*Node{g.Mul(dy, g.Scale(g.Pow(n.in[0], e-1), e))}
		},
		write: func(w *Writer, n *Node) string {
			return w.Op("Pow", n.name, w.operands(n, w.Float32s(n.name+"/exponent", []float32{float32(n.attrs.(PowAttrs).Exponent)})))
		},
		fixtures: []string{"pow", "pow_powers"}})
}
