package graph

import "math"

// Activation functions.
const (
	OpTanh Op = "Tanh"
	OpRelu Op = "Relu"
	OpGelu Op = "Gelu"
)

// Tanh is the hyperbolic tangent.
func (g *Graph) Tanh(x *Node) *Node { return g.apply(OpTanh, nil, x) }

// Relu is max(x, 0), with gradient 0 at 0.
func (g *Graph) Relu(x *Node) *Node { return g.apply(OpRelu, nil, x) }

// Gelu is the exact Gaussian error linear unit x·Φ(x) = x/2·(1+erf(x/√2)), without the tanh approximation.
func (g *Graph) Gelu(x *Node) *Node { return g.apply(OpGelu, nil, x) }

// normalCumulative is Φ(x) = (1+erf(x/√2))/2, the share of the normal distribution below x.
func normalCumulative(g *Graph, x *Node) *Node {
	return g.Scale(g.Add(g.Erf(g.Scale(x, math.Sqrt2/2)), g.Scalar(1)), 0.5)
}

func init() {
	// 1 - tanh²
	unary(OpTanh, math.Tanh, func(g *Graph, _, y, dy *Node) *Node { return g.Mul(dy, g.Sub(g.Scalar(1), g.Mul(y, y))) })
	// The output is positive exactly where the input is, so the input need not be kept.
	unary(OpRelu, func(x float64) float64 { return math.Max(x, 0) }, func(g *Graph, _, y, dy *Node) *Node {
		return g.Where(g.Greater(y, g.Scalar(0)), dy, g.Scalar(0))
	})
	register(OpGelu, row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts,
		formula: func(g *Graph, in []*Node, _ any) *Node { return g.Mul(in[0], normalCumulative(g, in[0])) },
		// Φ(x) + x·φ(x), φ being the normal distribution's density
		grad: func(g *Graph, n, dy *Node) []*Node {
			x := n.in[0]
			cumulative := normalCumulative(g, x)
			density := g.Scale(g.Exp(g.Scale(g.Mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
			return []*Node{g.Mul(dy, g.Add(cumulative, g.Mul(x, density)))}
		},
		write: func(w *Writer, n *Node) string {
			if w.Model.Opset >= 20 {
				return w.operator(n)
			}
			scalar := func(name string, v float32) string { return w.Float32s(n.name+"/"+name, []float32{v}) }
			return w.Gelu(n.name, w.Names[n.in[0]], scalar("sqrt2", math.Sqrt2), scalar("one", 1), scalar("half", 0.5))
		},
		fixtures: []string{"gelu"}})
}
