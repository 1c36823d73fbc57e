package raise

import (
	"errors"
	"fmt"
	"math"

	"graft/graph"
)

func init() {
	register("Clip", clip)
	register("Pow", pow)
	register("PRelu", func(c *call) (*graph.Node, error) {
		in, err := c.all()
		if err != nil || len(in) != 2 {
			return nil, errors.Join(err, fmt.Errorf("%d operands: want two", len(in)))
		}
		zero := c.g.Scalar(0)
		return c.g.Add(c.g.Relu(in[0]), c.g.Mul(in[1], c.g.Minimum(in[0], zero))), nil
	})
	for op, build := range map[string]func(c *call, x *graph.Node) *graph.Node{
		"LeakyRelu": func(c *call, x *graph.Node) *graph.Node { return c.g.LeakyRelu(x, c.Float("alpha", 0.01)) },
		"HardSigmoid": func(c *call, x *graph.Node) *graph.Node {
			return c.g.HardSigmoid(x, c.Float("alpha", 0.2), c.Float("beta", 0.5))
		},
		"Softplus": func(c *call, x *graph.Node) *graph.Node { return softplus(c.g, x) },
		"Mish":     func(c *call, x *graph.Node) *graph.Node { return c.g.Mul(x, c.g.Tanh(softplus(c.g, x))) },
		"Elu": func(c *call, x *graph.Node) *graph.Node {
			below := c.g.Scale(c.g.Sub(c.g.Exp(c.g.Minimum(x, c.g.Scalar(0))), c.g.Scalar(1)), c.Float("alpha", 1))
			return c.g.Add(c.g.Relu(x), below)
		},
		"Swish": func(c *call, x *graph.Node) *graph.Node { return c.g.Swish(x, c.Float("alpha", 1)) },
		"Gelu": func(c *call, x *graph.Node) *graph.Node {
			if c.Str("approximate", "none") == "tanh" {
				return c.g.GeluTanh(x)
			}
			return c.g.Gelu(x)
		},
	} {
		register(op, func(c *call) (*graph.Node, error) {
			x, err := c.x(0)
			if err != nil {
				return nil, err
			}
			return build(c, x), nil
		})
	}
}

// softplus is log(1+eˣ), without overflow.
func softplus(g *graph.Graph, x *graph.Node) *graph.Node {
	return g.Add(g.Relu(x), g.Log(g.Add(g.Exp(g.Neg(g.Abs(x))), g.Scalar(1))))
}

// clip has bounds that are attributes before operator set 11, and may be absent.
func clip(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	bounds := [2]float64{c.Float("min", math.Inf(-1)), c.Float("max", math.Inf(1))}
	for i := range bounds {
		v, err := c.floats(1 + i)
		if err != nil {
			return nil, err
		}
		if len(v) == 1 {
			bounds[i] = v[0]
		}
		if math.Abs(bounds[i]) >= math.MaxFloat32 { // as no bound is written too
			bounds[i] = math.Inf(2*i - 1)
		}
	}
	return c.g.Clip(x, bounds[0], bounds[1]), nil
}

// pow wants one constant exponent.
func pow(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	e, err := c.floats(1)
	if err != nil {
		return nil, err
	}
	if len(e) != 1 {
		return nil, fmt.Errorf("exponents %v: want one", e)
	}
	return c.g.Pow(x, e[0]), nil
}
