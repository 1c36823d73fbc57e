package raise

import (
	"errors"
	"fmt"
	"math"

	"graft/graph"
	"graft/onnx"
)

func init() {
	unary := map[string]func(g *graph.Graph, x *graph.Node) *graph.Node{
		"Neg": (*graph.Graph).Neg, "Exp": (*graph.Graph).Exp, "Log": (*graph.Graph).Log, "Sqrt": (*graph.Graph).Sqrt, "Erf": (*graph.Graph).Erf,
		"Tanh": (*graph.Graph).Tanh, "Relu": (*graph.Graph).Relu, "Sigmoid": (*graph.Graph).Sigmoid,
		"Reciprocal": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Div(g.Scalar(1), x) },
		"Identity":   func(_ *graph.Graph, x *graph.Node) *graph.Node { return x },
		"Dropout":    func(_ *graph.Graph, x *graph.Node) *graph.Node { return x }, // at inference
	}
	for op, build := range unary {
		register(op, func(c *call) (*graph.Node, error) {
			x, err := c.x(0)
			if err != nil {
				return nil, err
			}
			return build(c.g, x), nil
		})
	}
	binary := map[string]func(g *graph.Graph, a, b *graph.Node) *graph.Node{
		"Add": (*graph.Graph).Add, "Sub": (*graph.Graph).Sub, "Mul": (*graph.Graph).Mul, "Div": (*graph.Graph).Div,
		"Equal": (*graph.Graph).Equal, "Greater": (*graph.Graph).Greater, "GreaterOrEqual": (*graph.Graph).GreaterOrEqual,
		"Less": (*graph.Graph).Less, "LessOrEqual": (*graph.Graph).LessOrEqual,
	}
	for op, build := range binary {
		register(op, func(c *call) (*graph.Node, error) {
			in, err := c.all()
			if err != nil {
				return nil, err
			}
			if len(in) != 2 {
				return nil, fmt.Errorf("want two operands, got %d", len(in))
			}
			return build(c.g, in[0], in[1]), nil
		})
	}
	register("Sum", func(c *call) (*graph.Node, error) { return fold2(c, (*graph.Graph).Add) })
	register("Where", where)
	register("Pow", pow)
	register("Gelu", gelu)
	register("Cast", cast)
}

// fold2 joins any number of operands two by two.
func fold2(c *call, f func(g *graph.Graph, a, b *graph.Node) *graph.Node) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	out := in[0]
	for _, x := range in[1:] {
		out = f(c.g, out, x)
	}
	return out, nil
}

func where(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	return c.g.Where(in[0], in[1], in[2]), nil
}

// pow knows the exponents of statistics and of GELU's approximation.
func pow(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	e, err := c.floats(1)
	if err != nil {
		return nil, err
	}
	if len(e) == 1 {
		switch e[0] {
		case 0.5:
			return c.g.Sqrt(x), nil
		case 2:
			return c.g.Mul(x, x), nil
		case 3:
			return c.g.Mul(c.g.Mul(x, x), x), nil
		}
	}
	return nil, fmt.Errorf("exponent %v: want 0.5, 2 or 3", e)
}

func gelu(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	if c.Str("approximate", "none") == "tanh" {
		return tanhGelu(c.g, x), nil
	}
	return c.g.Gelu(x), nil
}

// tanhGelu is x/2·(1+tanh(√(2/π)·(x+0.044715·x³))), Hendrycks and Gimpel's approximation.
func tanhGelu(g *graph.Graph, x *graph.Node) *graph.Node {
	inner := g.Scale(g.Add(x, g.Scale(g.Mul(g.Mul(x, x), x), 0.044715)), math.Sqrt(2/math.Pi))
	return g.Mul(g.Scale(x, 0.5), g.Add(g.Tanh(inner), g.Scalar(1)))
}

// cast passes real numbers on, whatever their precision was, and turns truths into 0 and 1.
func cast(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	to := onnx.DType(c.Int("to", 0))
	switch {
	case !floating(to):
		return nil, fmt.Errorf("a value that depends on the input becomes %v: want floating point", to)
	case x.Type() == graph.Int:
		return nil, errors.New("indices become real numbers")
	case x.Type() == graph.Bool:
		return c.g.Where(x, c.g.Scalar(1), c.g.Scalar(0)), nil
	}
	return x, nil
}
