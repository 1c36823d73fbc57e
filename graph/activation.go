package graph

import "math"

// Activation functions.
const (
	OpTanh Op = "Tanh"
	OpRelu Op = "Relu"
	OpGelu Op = "Gelu"
	// OpGeluSlope is the derivative of Gelu, which training graphs have.
	OpGeluSlope Op = "GeluSlope"
	// OpGeluTanh is ONNX's Gelu with approximate="tanh".
	OpGeluTanh Op = "GeluTanh"
)

// Tanh is the hyperbolic tangent.
func (g *Graph) Tanh(x *Node) *Node { return g.apply(OpTanh, nil, x) }

// Relu is max(x, 0), with gradient 0 at 0.
func (g *Graph) Relu(x *Node) *Node { return g.apply(OpRelu, nil, x) }

// Gelu is the exact Gaussian error linear unit x·Φ(x) = x/2·(1+erf(x/√2)), without the tanh approximation.
func (g *Graph) Gelu(x *Node) *Node { return g.apply(OpGelu, nil, x) }

// GeluTanh approximates Gelu by x/2·(1+tanh(√(2/π)·(x+0.044715·x³))), after Hendrycks and Gimpel.
func (g *Graph) GeluTanh(x *Node) *Node { return g.apply(OpGeluTanh, nil, x) }

// cubic is 0.044715, from the approximation of GELU.
const cubic = 0.044715

// approximateGate is 1+tanh(√(2/π)·(x+0.044715·x³)), about 2Φ(x), and the hyperbolic tangent by itself.
func approximateGate(g *Graph, x *Node) (gate, tanh *Node) {
	tanh = g.Tanh(g.Mul(x, g.Add(g.Scale(g.Mul(x, x), cubic*math.Sqrt(2/math.Pi)), g.Scalar(math.Sqrt(2/math.Pi)))))
	return g.Add(tanh, g.Scalar(1)), tanh
}

// normalCumulative is Φ(x) = (1+erf(x/√2))/2, the share of the normal distribution below x.
func normalCumulative(g *Graph, x *Node) *Node {
	return g.Scale(g.Add(g.Erf(g.Scale(x, math.Sqrt2/2)), g.Scalar(1)), 0.5)
}

// normalDensity is φ(x) = exp(-x²/2)/√(2π), of the normal distribution.
func normalDensity(g *Graph, x *Node) *Node {
	return g.Scale(g.Exp(g.Scale(g.Mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
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
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.Mul(dy, g.apply(OpGeluSlope, nil, n.in[0]))}
		},
		write: func(w *Writer, n *Node) string {
			if w.Model.Opset >= 20 {
				return w.operator(n)
			}
			scalar := func(name string, v float32) string { return w.Float32s(n.name+"/"+name, []float32{v}) }
			return w.Gelu(n.name, w.Names[n.in[0]], scalar("sqrt2", math.Sqrt2), scalar("one", 1), scalar("half", 0.5))
		},
		fixtures: []string{"gelu"}})
	register(OpGeluSlope, row{min: 1, max: 1, shape: elementwise(Float, Float),
		// Φ(x) + x·φ(x)
		formula: func(g *Graph, in []*Node, _ any) *Node {
			return g.Add(normalCumulative(g, in[0]), g.Mul(in[0], normalDensity(g, in[0])))
		},
		// φ(x)·(2-x²)
		grad: func(g *Graph, n, dy *Node) []*Node {
			x := n.in[0]
			return []*Node{g.Mul(dy, g.Mul(normalDensity(g, x), g.Sub(g.Scalar(2), g.Mul(x, x))))}
		},
		fixtures: []string{"gelu"}})
	register(OpGeluTanh, row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts,
		point: func(v [3]float64, _ any) float64 {
			x := v[0]
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+cubic*x*x*x)))
		},
		formula: func(g *Graph, in []*Node, _ any) *Node {
			gate, _ := approximateGate(g, in[0])
			return g.Mul(g.Scale(in[0], 0.5), gate)
		},
		// gate/2 + x/2·(1-tanh²)·√(2/π)·(1+3·0.044715·x²)
		grad: func(g *Graph, n, dy *Node) []*Node {
			x, one := n.in[0], g.Scalar(1)
			gate, tanh := approximateGate(g, x)
			inner := g.Scale(g.Add(g.Scale(g.Mul(x, x), 3*cubic), one), math.Sqrt(2/math.Pi))
			return []*Node{g.Mul(dy, g.Scale(g.Add(gate, g.Mul(g.Mul(x, g.Sub(one, g.Mul(tanh, tanh))), inner)), 0.5))}
		},
		write: func(w *Writer, n *Node) string {
			if w.Model.Opset >= 20 {
				return w.Op("Gelu", n.name, w.operands(n), attr("approximate", "tanh"))
			}
			return w.formula(n)
		},
		fixtures: []string{"gelu_tanh"}})
}
