package graph

import "fmt"

// Naive computes a node's value from its operands' ones, as its operation's row has it.
func Naive(n *Node, in [][]float64) ([]float64, error) {
	r := rows[n.op]
	switch {
	case r.point != nil:
		return pointwise(n, in, r.point), nil
	case r.formula != nil:
		nodes, values := Formula(n), map[*Node][]float64{}
		for i, v := range in {
			values[nodes[i]] = v
		}
		return evaluate(nodes[len(nodes)-1], values)
	}
	return r.naive(n, in)
}

// Evaluate computes a node that no input decides: constants, parameters at their starting values, and what depends on
// these alone; row-major. It is for small things, by the plainest means.
func Evaluate(n *Node) ([]float64, error) { return evaluate(n, map[*Node][]float64{}) }

// EvaluateAll is Evaluate of several nodes, what they share computed once.
func EvaluateAll(nodes []*Node) ([][]float64, error) {
	values, out := map[*Node][]float64{}, make([][]float64, len(nodes))
	for i, n := range nodes {
		var err error
		if out[i], err = evaluate(n, values); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// evaluate computes a node, and notes what it computes among the values, which begin with those of inputs and parameters.
func evaluate(n *Node, values map[*Node][]float64) (v []float64, err error) {
	if v, ok := values[n]; ok {
		return v, nil
	}
	switch {
	case n.op == OpConstant:
		return n.value, nil
	case n.op == OpParameter:
		first, err := n.Initial()
		values[n] = make([]float64, n.shape.Size())
		for i, x := range first {
			values[n][i] = float64(x)
		}
		return values[n], err
	case len(n.in) == 0:
		return nil, fmt.Errorf("graph: %v was not set", n)
	}
	in := make([][]float64, len(n.in))
	for i, x := range n.in {
		if in[i], err = evaluate(x, values); err != nil {
			return nil, err
		}
	}
	values[n], err = Naive(n, in)
	return values[n], err
}

// Point is the function of its operands' elements that an element-wise operation computes, in float64, or nil. Operands
// that the operation lacks are not read.
func Point(op Op) func(v [3]float64, attrs any) float64 { return rows[op].point }

// Formula writes a node's operation out in others, as a graph of its own: its nodes in order, of which the first stand
// for the operands and the last is the value. It is nil where the operation is not given by a formula.
func Formula(n *Node) []*Node {
	f := rows[n.op].formula
	if f == nil {
		return nil
	}
	g, in := New(), make([]*Node, len(n.in))
	defer g.Scope(n.name)()
	for i, x := range n.in {
		in[i] = g.Input(fmt.Sprint("x", i), x.shape...)
	}
	if f(g, in, n.attrs); g.err != nil {
		panic(fmt.Sprintf("graph: the formula of %s: %v", n.op, g.err)) // the node's shapes were checked
	}
	return g.nodes
}

// byFormula is the value of operations that are not element-wise by a formula of others.
func byFormula(f func(g *Graph, in []*Node, attrs any) *Node) func(*Node, [][]float64) ([]float64, error) {
	return func(n *Node, values [][]float64) ([]float64, error) {
		g, given, in := New(), map[*Node][]float64{}, make([]*Node, len(n.in))
		for i, x := range n.in {
			in[i] = g.Input(fmt.Sprint("x", i), x.shape...)
			given[in[i]] = values[i]
		}
		out := f(g, in, n.attrs)
		if g.err != nil {
			return nil, g.err
		}
		return evaluate(out, given)
	}
}

func pointwise(n *Node, in [][]float64, f func(v [3]float64, attrs any) float64) []float64 {
	var strides [3][]int
	for i, x := range n.in {
		strides[i] = x.shape.StridesIn(n.shape)
	}
	out := make([]float64, n.shape.Size())
	for at, index := range n.shape.Indices() {
		var v [3]float64
		for i := range in {
			v[i] = in[i][Offset(strides[i], index)]
		}
		out[at] = f(v, n.attrs)
	}
	return out
}

// eachRow applies f to every vector of the last axis.
func eachRow(n *Node, src []float64, f func(dst, src []float64)) []float64 {
	d, out := n.Dim(-1), make([]float64, len(src))
	for i := 0; i < len(out); i += d {
		f(out[i:i+d], src[i:i+d])
	}
	return out
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
