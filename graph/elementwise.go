package graph

import "math"

// Element-wise operations. Those of several operands broadcast.
const (
	OpAdd            Op = "Add"
	OpSub            Op = "Sub"
	OpMul            Op = "Mul"
	OpDiv            Op = "Div"
	OpNeg            Op = "Neg"
	OpExp            Op = "Exp"
	OpLog            Op = "Log"
	OpSqrt           Op = "Sqrt"
	OpTanh           Op = "Tanh"
	OpErf            Op = "Erf"
	OpRelu           Op = "Relu"
	OpGelu           Op = "Gelu"
	OpEqual          Op = "Equal"
	OpGreater        Op = "Greater"
	OpGreaterOrEqual Op = "GreaterOrEqual"
	OpLess           Op = "Less"
	OpLessOrEqual    Op = "LessOrEqual"
	OpWhere          Op = "Where"
)

// Add is a+b.
func (g *Graph) Add(a, b *Node) *Node { return g.apply(OpAdd, nil, a, b) }

// Sub is a-b.
func (g *Graph) Sub(a, b *Node) *Node { return g.apply(OpSub, nil, a, b) }

// Mul is a·b, element by element.
func (g *Graph) Mul(a, b *Node) *Node { return g.apply(OpMul, nil, a, b) }

// Div is a/b.
func (g *Graph) Div(a, b *Node) *Node { return g.apply(OpDiv, nil, a, b) }

// Neg is -x.
func (g *Graph) Neg(x *Node) *Node { return g.apply(OpNeg, nil, x) }

// Exp is eˣ.
func (g *Graph) Exp(x *Node) *Node { return g.apply(OpExp, nil, x) }

// Log is the natural logarithm.
func (g *Graph) Log(x *Node) *Node { return g.apply(OpLog, nil, x) }

// Sqrt is the square root.
func (g *Graph) Sqrt(x *Node) *Node { return g.apply(OpSqrt, nil, x) }

// Tanh is the hyperbolic tangent.
func (g *Graph) Tanh(x *Node) *Node { return g.apply(OpTanh, nil, x) }

// Erf is the error function.
func (g *Graph) Erf(x *Node) *Node { return g.apply(OpErf, nil, x) }

// Relu is max(x, 0), with gradient 0 at 0.
func (g *Graph) Relu(x *Node) *Node { return g.apply(OpRelu, nil, x) }

// Gelu is the exact Gaussian error linear unit x·Φ(x) = x/2·(1+erf(x/√2)), without the tanh approximation.
func (g *Graph) Gelu(x *Node) *Node { return g.apply(OpGelu, nil, x) }

// Equal is a==b, a bool.
func (g *Graph) Equal(a, b *Node) *Node { return g.apply(OpEqual, nil, a, b) }

// Greater is a>b, a bool.
func (g *Graph) Greater(a, b *Node) *Node { return g.apply(OpGreater, nil, a, b) }

// GreaterOrEqual is a>=b, a bool.
func (g *Graph) GreaterOrEqual(a, b *Node) *Node { return g.apply(OpGreaterOrEqual, nil, a, b) }

// Less is a<b, a bool.
func (g *Graph) Less(a, b *Node) *Node { return g.apply(OpLess, nil, a, b) }

// LessOrEqual is a<=b, a bool.
func (g *Graph) LessOrEqual(a, b *Node) *Node { return g.apply(OpLessOrEqual, nil, a, b) }

// Where takes a where the bool cond holds and b elsewhere.
func (g *Graph) Where(cond, a, b *Node) *Node { return g.apply(OpWhere, nil, cond, a, b) }

// Scale is x·v for a fixed number v.
func (g *Graph) Scale(x *Node, v float64) *Node { return g.Mul(x, g.Scalar(v)) }

// elementwise is the shape rule: all operands broadcast together.
func elementwise(result Type, want ...Type) func([]*Node, any) (Shape, Type, error) {
	return func(in []*Node, _ any) (Shape, Type, error) {
		if err := wantTypes(in, want...); err != nil {
			return nil, 0, err
		}
		s := in[0].shape
		for _, n := range in[1:] {
			var err error
			if s, err = Broadcast(s, n.shape); err != nil {
				return nil, 0, err
			}
		}
		return s, result, nil
	}
}

type rule = func(g *Graph, n, dy *Node) []*Node

func unary(op Op, d func(g *Graph, x, y, dy *Node) *Node) {
	register(op, spec{onnx: string(op), min: 1, max: 1, shape: elementwise(Float, Float),
		grad: func(g *Graph, n, dy *Node) []*Node { return []*Node{d(g, n.in[0], n, dy)} }})
}

func binary(op Op, grad rule) {
	register(op, spec{onnx: string(op), min: 2, max: 2, broadcast: true, shape: elementwise(Float, Float), grad: grad})
}

func init() {
	binary(OpAdd, func(_ *Graph, _, dy *Node) []*Node { return []*Node{dy, dy} })
	binary(OpSub, func(g *Graph, _, dy *Node) []*Node { return []*Node{dy, g.Neg(dy)} })
	binary(OpMul, func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Mul(dy, n.in[1]), g.Mul(dy, n.in[0])} })
	// d(a/b) = da/b - (a/b)·db/b
	binary(OpDiv, func(g *Graph, n, dy *Node) []*Node {
		da := g.Div(dy, n.in[1])
		return []*Node{da, g.Neg(g.Mul(da, n))}
	})
	for _, op := range []Op{OpEqual, OpGreater, OpGreaterOrEqual, OpLess, OpLessOrEqual} {
		register(op, spec{onnx: string(op), min: 2, max: 2, shape: elementwise(Bool, Float), grad: noGradient})
	}
	register(OpWhere, spec{onnx: "Where", min: 3, max: 3, broadcast: true, shape: elementwise(Float, Bool, Float),
		grad: func(g *Graph, n, dy *Node) []*Node {
			zero := g.Scalar(0)
			return []*Node{nil, g.Where(n.in[0], dy, zero), g.Where(n.in[0], zero, dy)}
		}})

	unary(OpNeg, func(g *Graph, _, _, dy *Node) *Node { return g.Neg(dy) })
	unary(OpExp, func(g *Graph, _, y, dy *Node) *Node { return g.Mul(dy, y) })
	unary(OpLog, func(g *Graph, x, _, dy *Node) *Node { return g.Div(dy, x) })
	unary(OpSqrt, func(g *Graph, _, y, dy *Node) *Node { return g.Div(dy, g.Scale(y, 2)) })
	// 1 - tanh²
	unary(OpTanh, func(g *Graph, _, y, dy *Node) *Node { return g.Mul(dy, g.Sub(g.Scalar(1), g.Mul(y, y))) })
	// 2/√π·exp(-x²)
	unary(OpErf, func(g *Graph, x, _, dy *Node) *Node {
		return g.Mul(dy, g.Scale(g.Exp(g.Neg(g.Mul(x, x))), 2/math.SqrtPi))
	})
	// The output is positive exactly where the input is, so the input need not be kept.
	unary(OpRelu, func(g *Graph, _, y, dy *Node) *Node {
		return g.Where(g.Greater(y, g.Scalar(0)), dy, g.Scalar(0))
	})
	// Φ(x) + x·φ(x), with Φ the normal distribution's cumulative and φ its density
	unary(OpGelu, func(g *Graph, x, _, dy *Node) *Node {
		cumulative := g.Scale(g.Add(g.Erf(g.Scale(x, math.Sqrt2/2)), g.Scalar(1)), 0.5)
		density := g.Scale(g.Exp(g.Scale(g.Mul(x, x), -0.5)), 1/math.Sqrt(2*math.Pi))
		return g.Mul(dy, g.Add(cumulative, g.Mul(x, density)))
	})
}
