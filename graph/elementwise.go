package graph

import (
	"math"
	"strings"
)

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
	OpErf            Op = "Erf"
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

// Erf is the error function.
func (g *Graph) Erf(x *Node) *Node { return g.apply(OpErf, nil, x) }

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

// scaled is Scale that leaves out the factor 1.
func (g *Graph) scaled(x *Node, v float64) *Node {
	if v == 1 {
		return x
	}
	return g.Scale(x, v)
}

// elementwise is the shape rule: all operands broadcast together.
func elementwise(result Type, want ...Type) func([]*Node, any) (Shape, Type, error) {
	return func(in []*Node, _ any) (Shape, Type, error) {
		if err := wantTypes(in, want...); err != nil {
			return nil, 0, err
		}
		s := in[0].shape
		for _, n := range in[1:] {
			var err error
			if s, err = broadcast(s, n.shape); err != nil {
				return nil, 0, err
			}
		}
		return s, result, nil
	}
}

type rule = func(g *Graph, n, dy *Node) []*Node

// unary registers a function of one operand, see unaryRow.
func unary(op Op, f func(x float64) float64, d func(g *Graph, x, y, dy *Node) *Node) {
	register(op, unaryRow(op, f, d))
}

// unaryRow is that of a function of one operand; d is its gradient from operand, result and the result's gradient. Its
// fixture bears its name.
func unaryRow(op Op, f func(x float64) float64, d func(g *Graph, x, y, dy *Node) *Node) row {
	return row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts,
		point:    func(v [3]float64, _ any) float64 { return f(v[0]) },
		grad:     func(g *Graph, n, dy *Node) []*Node { return []*Node{d(g, n.in[0], n, dy)} },
		fixtures: []string{strings.ToLower(string(op))}}
}

func binary(op Op, result Type, fixture string, f func(a, b float64) float64, grad rule) {
	register(op, row{min: 2, max: 2, broadcast: true, shape: elementwise(result, Float), grad: grad, batch: batchBroadcasts,
		point:    func(v [3]float64, _ any) float64 { return f(v[0], v[1]) },
		fixtures: []string{fixture}})
}

func init() {
	binary(OpAdd, Float, "add", func(a, b float64) float64 { return a + b },
		func(_ *Graph, _, dy *Node) []*Node { return []*Node{dy, dy} })
	binary(OpSub, Float, "sub", func(a, b float64) float64 { return a - b },
		func(g *Graph, _, dy *Node) []*Node { return []*Node{dy, g.Neg(dy)} })
	binary(OpMul, Float, "mul", func(a, b float64) float64 { return a * b },
		func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Mul(dy, n.in[1]), g.Mul(dy, n.in[0])} })
	// d(a/b) = da/b - (a/b)·db/b
	binary(OpDiv, Float, "div", func(a, b float64) float64 { return a / b }, func(g *Graph, n, dy *Node) []*Node {
		da := g.Div(dy, n.in[1])
		return []*Node{da, g.Neg(g.Mul(da, n))}
	})
	binary(OpEqual, Bool, "equal", func(a, b float64) float64 { return truth(a == b) }, noGradient)
	binary(OpGreater, Bool, "greater", func(a, b float64) float64 { return truth(a > b) }, noGradient)
	binary(OpGreaterOrEqual, Bool, "greater_or_equal", func(a, b float64) float64 { return truth(a >= b) }, noGradient)
	binary(OpLess, Bool, "less", func(a, b float64) float64 { return truth(a < b) }, noGradient)
	binary(OpLessOrEqual, Bool, "less_or_equal", func(a, b float64) float64 { return truth(a <= b) }, noGradient)
	register(OpWhere, row{min: 3, max: 3, broadcast: true, shape: elementwise(Float, Bool, Float), batch: batchBroadcasts,
		point: func(v [3]float64, _ any) float64 {
			if v[0] != 0 {
				return v[1]
			}
			return v[2]
		},
		grad: func(g *Graph, n, dy *Node) []*Node {
			zero := g.Scalar(0)
			return []*Node{nil, g.Where(n.in[0], dy, zero), g.Where(n.in[0], zero, dy)}
		},
		fixtures: []string{"less"}})

	unary(OpNeg, func(x float64) float64 { return -x }, func(g *Graph, _, _, dy *Node) *Node { return g.Neg(dy) })
	unary(OpExp, math.Exp, func(g *Graph, _, y, dy *Node) *Node { return g.Mul(dy, y) })
	unary(OpLog, math.Log, func(g *Graph, x, _, dy *Node) *Node { return g.Div(dy, x) })
	unary(OpSqrt, math.Sqrt, func(g *Graph, _, y, dy *Node) *Node { return g.Div(dy, g.Scale(y, 2)) })
	// 2/√π·exp(-x²)
	unary(OpErf, math.Erf, func(g *Graph, x, _, dy *Node) *Node {
		return g.Mul(dy, g.Scale(g.Exp(g.Neg(g.Mul(x, x))), 2/math.SqrtPi))
	})
}
