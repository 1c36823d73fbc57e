package graph

import "fmt"

// Reference runs a graph in float64 with the plainest loops: the yardstick for fast kernels and for finite
// differences. It is slow, and applies no updates.
type Reference struct{ values map[*Node][]float64 }

// NewReference starts from the parameters' initial values.
func NewReference(g *Graph) (*Reference, error) {
	if g.err != nil {
		return nil, g.err
	}
	r := &Reference{map[*Node][]float64{}}
	for _, p := range g.Parameters(true) {
		v := make([]float64, p.shape.Size())
		for i, x := range p.initial {
			v[i] = float64(x)
		}
		r.values[p] = v
	}
	return r, nil
}

// Set gives an input or parameter its value; the slice is not copied.
func (r *Reference) Set(n *Node, v []float64) error {
	if len(v) != n.shape.Size() {
		return fmt.Errorf("graph: %v wants %d values, got %d", n, n.shape.Size(), len(v))
	}
	r.values[n] = v
	return nil
}

// Eval computes the outputs afresh.
func (r *Reference) Eval(outputs ...*Node) ([][]float64, error) {
	memo := map[*Node][]float64{}
	out := make([][]float64, len(outputs))
	for i, n := range outputs {
		var err error
		if out[i], err = r.eval(n, memo); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *Reference) eval(n *Node, memo map[*Node][]float64) (v []float64, err error) {
	if v, ok := memo[n]; ok {
		return v, nil
	}
	if len(n.in) == 0 {
		return r.leaf(n)
	}
	in := make([][]float64, len(n.in))
	for i, x := range n.in {
		if in[i], err = r.eval(x, memo); err != nil {
			return nil, err
		}
	}
	memo[n], err = Naive(n, in)
	return memo[n], err
}

func (r *Reference) leaf(n *Node) ([]float64, error) {
	if n.op == OpConstant {
		return n.value, nil
	}
	if v, ok := r.values[n]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("graph: %v was not set", n)
}

// Naive computes a node's value from its operands' ones, as its operation's row has it.
func Naive(n *Node, in [][]float64) ([]float64, error) {
	r := rows[n.op]
	switch {
	case r.point != nil:
		return pointwise(n, in, r.point), nil
	case r.formula != nil:
		nodes := Formula(n)
		sub := Reference{map[*Node][]float64{}}
		for i, v := range in {
			sub.values[nodes[i]] = v
		}
		return sub.eval(nodes[len(nodes)-1], map[*Node][]float64{})
	}
	return r.naive(n, in)
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
	for i, x := range n.in {
		in[i] = g.Input(fmt.Sprint("x", i), x.shape...)
	}
	if f(g, in, n.attrs); g.err != nil {
		panic(fmt.Sprintf("graph: the formula of %s: %v", n.op, g.err)) // the node's shapes were checked
	}
	return g.nodes
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
