package raise

import (
	"errors"
	"fmt"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// rule builds what an operator computes: its outputs' nodes, of which further ones may be missing.
type rule func(c *call) ([]*graph.Node, error)

var rules = map[string]rule{}

// register adds an operator of one output.
func register(op string, f func(c *call) (*graph.Node, error)) {
	rules[op] = func(c *call) ([]*graph.Node, error) {
		x, err := f(c)
		return []*graph.Node{x}, err
	}
}

// call is one node of the model under way. Its graph is another one than the raiser's where constants are folded.
type call struct {
	*raiser
	onnx.Node
	g *graph.Graph
}

// has tells whether an operand is there.
func (c *call) has(i int) bool { return i < len(c.Inputs) && c.Inputs[i] != "" }

// operand is what an operand stands for.
func (c *call) operand(i int) (*value, error) {
	if !c.has(i) {
		return nil, fmt.Errorf("operand %d is missing", i)
	}
	return c.value(c.Inputs[i])
}

// x is the node of an operand.
func (c *call) x(i int) (*graph.Node, error) {
	v, err := c.operand(i)
	if err != nil {
		return nil, err
	}
	if c.g == c.raiser.g {
		return c.node(c.Inputs[i])
	}
	return v.fixed.node(c.g, v.typ)
}

// all are the nodes of all operands.
func (c *call) all() (out []*graph.Node, err error) {
	for i := range c.Inputs {
		x, err := c.x(i)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// vector is an operand as a parameter or constant of one axis; absent, it is n times the same number.
func (c *call) vector(i, n int, absent float64) (*graph.Node, error) {
	if c.has(i) {
		x, err := c.x(i)
		if err == nil && x.Shape().Size() == n && len(x.Shape()) != 1 {
			x = c.g.Reshape(x, n)
		}
		return x, err
	}
	return c.g.Constant(slices.Repeat([]float64{absent}, n), n), nil
}

// state is a weight that is not learned: a running mean or variance.
func (c *call) state(i int) (*graph.Node, error) {
	if t, ok := c.index.Weights[c.Inputs[i]]; ok && c.values[c.Inputs[i]] == nil {
		v, err := c.weight(t, false)
		if err != nil {
			return nil, err
		}
		c.keep(c.Inputs[i], v)
	}
	return c.vector(i, 0, 0)
}

// floats are an operand's numbers, which no input may decide; the missing operand has none.
func (c *call) floats(i int) ([]float64, error) {
	if !c.has(i) {
		return nil, nil
	}
	if t, ok := c.index.Weights[c.Inputs[i]]; ok && c.values[c.Inputs[i]] == nil {
		return numbers(t) // and no parameter of the graph
	}
	v, err := c.operand(i)
	if err != nil || v.fixed != nil {
		return v.numbers(), err
	}
	out, err := graph.Evaluate(v.node)
	if err != nil {
		return nil, fmt.Errorf("operand %d, %q, depends on the input; it must be constant for a static shape", i, c.Inputs[i])
	}
	return out, nil
}

func (v *value) numbers() []float64 {
	if v == nil {
		return nil
	}
	return v.fixed.v
}

// whole are an operand's whole numbers, as floats gives them.
func (c *call) whole(i int) ([]int, error) {
	v, err := c.floats(i)
	if v == nil {
		return nil, err
	}
	return wholes(v), err
}

// setting is a list of whole numbers that older operator sets have as an attribute and newer ones as an operand.
func (c *call) setting(name string, i int) ([]int, error) {
	if v := c.Ints(name); v != nil {
		return toInts(v), nil
	}
	return c.whole(i)
}

func toInts(v []int64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

// axis turns a possibly negative axis into one of 0…rank-1.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	return (a + rank) % rank, nil
}

func axesOf(list []int, rank int) ([]int, error) {
	out := make([]int, len(list))
	var err error
	for i, a := range list {
		var e error
		out[i], e = axis(a, rank)
		err = errors.Join(err, e)
	}
	return out, err
}
