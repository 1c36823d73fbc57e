package raise

import (
	"fmt"
	"slices"

	"graft/graph"
)

func init() {
	register("LayerNormalization", layerNorm)
	register("BatchNormalization", batchNorm)
	register("Softmax", func(c *call) (*graph.Node, error) { return softmax(c, (*graph.Graph).Softmax) })
	register("LogSoftmax", func(c *call) (*graph.Node, error) { return softmax(c, (*graph.Graph).LogSoftmax) })
	for op, f := range map[string][2]reduction{
		"ReduceMean": {(*graph.Graph).MeanKeep, (*graph.Graph).Mean}, "ReduceSum": {(*graph.Graph).SumKeep, (*graph.Graph).Sum},
	} {
		register(op, func(c *call) (*graph.Node, error) { return reduce(c, f[0], f[1]) })
	}
	register("ReduceMax", func(c *call) (*graph.Node, error) { return reduce(c, maxKeep, (*graph.Graph).Max) })
	register("ReduceMin", func(c *call) (*graph.Node, error) { return reduce(c, least(maxKeep), least((*graph.Graph).Max)) })
	register("ReduceL2", func(c *call) (*graph.Node, error) {
		keep := func(g *graph.Graph, x *graph.Node, over ...int) *graph.Node {
			return g.Sqrt(g.SumKeep(g.Mul(x, x), over...))
		}
		drop := func(g *graph.Graph, x *graph.Node, over ...int) *graph.Node {
			return g.Sqrt(g.Sum(g.Mul(x, x), over...))
		}
		return reduce(c, keep, drop)
	})
}

func maxKeep(g *graph.Graph, x *graph.Node, over ...int) *graph.Node {
	return g.Reshape(g.Max(x, over...), keptShape(x, over)...)
}

// least makes of the greatest the least.
func least(greatest reduction) reduction {
	return func(g *graph.Graph, x *graph.Node, over ...int) *graph.Node {
		return g.Neg(greatest(g, g.Neg(x), over...))
	}
}

// layerNorm normalises over the axes from one on, as one.
func layerNorm(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	from, err := axis(int(c.Int("axis", -1)), len(s))
	if err != nil {
		return nil, err
	}
	size := s[from:].Size()
	scale, err := c.vector(1, size, 1)
	if err != nil {
		return nil, err
	}
	bias, err := c.vector(2, size, 0)
	if err != nil {
		return nil, err
	}
	eps := c.Float("epsilon", 1e-5)
	if from == len(s)-1 {
		return c.g.LayerNorm(x, scale, bias, eps), nil
	}
	flat := c.g.Reshape(x, append(slices.Clone(s[:from]), size)...)
	return c.g.Reshape(c.g.LayerNorm(flat, scale, bias, eps), s...), nil
}

func batchNorm(c *call) (*graph.Node, error) {
	if c.Int("training_mode", 0) != 0 {
		return nil, fmt.Errorf("it was exported for training")
	}
	in := make([]*graph.Node, 5)
	var err error
	for i := range in {
		if i < 3 {
			in[i], err = c.x(i)
		} else {
			in[i], err = c.state(i)
		}
		if err != nil {
			return nil, err
		}
	}
	eps := c.Float("epsilon", 1e-5)
	if c.options.Running != nil && c.options.Running(c.Inputs[3]) {
		return c.g.BatchNormTraining(in[0], in[1], in[2], in[3], in[4], eps, 1-c.Float("momentum", 0.9)), nil // ONNX's is the old values' share
	}
	return c.g.BatchNorm(in[0], in[1], in[2], in[3], in[4], eps), nil
}

// softmax works on the last axis: others are moved there. Before operator set 13 all axes from one on were one.
func softmax(c *call, f func(g *graph.Graph, x *graph.Node) *graph.Node) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	s, absent := x.Shape(), int64(-1)
	if c.model.Opset < 13 {
		absent = 1
	}
	a, err := axis(int(c.Int("axis", absent)), len(s))
	switch {
	case err != nil:
		return nil, err
	case a == len(s)-1:
		return f(c.g, x), nil
	case c.model.Opset < 13:
		return c.g.Reshape(f(c.g, c.g.Reshape(x, s[:a].Size(), s[a:].Size())), s...), nil
	}
	perm := identity(len(s))
	perm[a], perm[len(s)-1] = len(s)-1, a
	return c.g.Transpose(f(c.g, c.g.Transpose(x, perm...)), perm...), nil
}

func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

type reduction = func(g *graph.Graph, x *graph.Node, over ...int) *graph.Node

func reduce(c *call, keep, drop reduction) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	over, err := c.setting("axes", 1)
	if err != nil {
		return nil, err
	}
	if len(over) == 0 && c.Int("noop_with_empty_axes", 0) == 1 {
		return x, nil
	}
	if over, err = axesOf(over, len(x.Shape())); err != nil {
		return nil, err
	}
	if c.Int("keepdims", 1) == 1 {
		return keep(c.g, x, over...), nil
	}
	return drop(c.g, x, over...), nil
}

// keptShape is x's shape with the axes, all where none are given, as size 1.
func keptShape(x *graph.Node, over []int) []int {
	s := slices.Clone(x.Shape())
	for i := range s {
		if len(over) == 0 || slices.Contains(over, i) {
			s[i] = 1
		}
	}
	return s
}
