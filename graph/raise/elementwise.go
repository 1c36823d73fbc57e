package raise

import (
	"errors"
	"fmt"

	"graft/graph"
	"graft/onnx"
)

func init() {
	unary := map[string]func(g *graph.Graph, x *graph.Node) *graph.Node{
		"Neg": (*graph.Graph).Neg, "Exp": (*graph.Graph).Exp, "Log": (*graph.Graph).Log, "Sqrt": (*graph.Graph).Sqrt, "Erf": (*graph.Graph).Erf,
		"Tanh": (*graph.Graph).Tanh, "Relu": (*graph.Graph).Relu, "Sigmoid": (*graph.Graph).Sigmoid, "Round": (*graph.Graph).Round,
		"Abs": (*graph.Graph).Abs, "HardSwish": (*graph.Graph).HardSwish,
		"Floor":      floor,
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
	for op, build := range map[string]func(g *graph.Graph, a, b *graph.Node) *graph.Node{
		"Sum": (*graph.Graph).Add, "Max": (*graph.Graph).Maximum, "Min": (*graph.Graph).Minimum,
	} {
		register(op, func(c *call) (*graph.Node, error) { return fold2(c, build) })
	}
	register("Where", where)
	register("Cast", cast)
	register("CastLike", cast)
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

// floor is the nearest whole number, less one where that lies above.
func floor(g *graph.Graph, x *graph.Node) *graph.Node {
	nearest := g.Round(x)
	return g.Sub(nearest, g.Where(g.Greater(nearest, x), g.Scalar(1), g.Scalar(0)))
}

func where(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	return c.g.Where(in[0], in[1], in[2]), nil
}

// cast passes real numbers on, whatever their precision was, and turns truths into 0 and 1.
func cast(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	to, err := c.target()
	switch {
	case err != nil:
		return nil, err
	case !floating(to):
		return nil, fmt.Errorf("a value that depends on the input becomes %v: want floating point", to)
	case x.Type() == graph.Int:
		return nil, errors.New("indices become real numbers")
	case x.Type() == graph.Bool:
		return c.g.Where(x, c.g.Scalar(1), c.g.Scalar(0)), nil
	}
	return x, nil
}

// target is the type that a Cast makes, or a CastLike takes from its other operand.
func (c *call) target() (onnx.DType, error) {
	if c.Op == "Cast" {
		return onnx.DType(c.Int("to", 0)), nil
	}
	like, err := c.operand(1)
	if err != nil {
		return 0, err
	}
	return like.typ, nil
}
