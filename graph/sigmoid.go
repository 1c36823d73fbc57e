package graph

import "math"

// OpSigmoid is the logistic function.
const OpSigmoid Op = "Sigmoid"

// Sigmoid is 1/(1+e⁻ˣ), element by element.
func (g *Graph) Sigmoid(x *Node) *Node { return g.apply(OpSigmoid, nil, x) }

func init() {
	// y·(1-y)
	unary(OpSigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(g *Graph, _, y, dy *Node) *Node {
		return g.Mul(dy, g.Mul(y, g.Sub(g.Scalar(1), y)))
	})
}
