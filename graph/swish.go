package graph

import "math"

// OpSwish is the activation that the logistic function gates.
const OpSwish Op = "Swish"

// SwishAttrs is the factor of the gate's argument.
type SwishAttrs struct{ Alpha float64 }

// Swish is x·sigmoid(alpha·x): SiLU with alpha 1, the quick GELU with 1.702.
func (g *Graph) Swish(x *Node, alpha float64) *Node { return g.apply(OpSwish, SwishAttrs{alpha}, x) }

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func init() {
	register(OpSwish, row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts,
		point: func(v [3]float64, attrs any) float64 { return v[0] * logistic(attrs.(SwishAttrs).Alpha*v[0]) },
		formula: func(g *Graph, in []*Node, attrs any) *Node {
			return g.Mul(in[0], g.Sigmoid(g.scaled(in[0], attrs.(SwishAttrs).Alpha)))
		},
		// s + alpha·y·(1-s), s being the gate
		grad: func(g *Graph, n, dy *Node) []*Node {
			alpha := n.attrs.(SwishAttrs).Alpha
			s := g.Sigmoid(g.scaled(n.in[0], alpha))
			return []*Node{g.Mul(dy, g.Add(s, g.scaled(g.Mul(n, g.Sub(g.Scalar(1), s)), alpha)))}
		},
		write:    func(w *Writer, n *Node) string { return w.formula(n) },
		fixtures: []string{"swish", "quick_gelu"}})
}
