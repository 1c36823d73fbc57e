package graph

import (
	"fmt"
)

// Op names an operation. The names are ONNX's where one operator does the same.
type Op string

// The three kinds of leaves; they have no row.
const (
	OpInput     Op = "Input"
	OpParameter Op = "Parameter"
	OpConstant  Op = "Constant"
)

// row is all that is known of one operation but its fast kernel, which package engine may have.
type row struct {
	min, max  int  // number of operands
	broadcast bool // a gradient may have the broadcast shape; Gradient sums it down
	// shape checks the operands and gives the result's shape and type.
	shape func(in []*Node, attrs any) (Shape, Type, error)
	// grad builds the operands' gradients from that of n; nil: the operation has no rule. A nil in the list: no
	// gradient flows to that operand.
	grad func(g *Graph, n, dy *Node) []*Node

	// The value, in one of three ways: element by element of at most three operands that broadcast, by a formula of
	// other operations, or by the plainest loops over whole operands. What is given element by element may have a formula
	// besides, which is how it is computed fast.
	point   func(v [3]float64, attrs any) float64
	formula func(g *Graph, in []*Node, attrs any) *Node
	naive   func(n *Node, in [][]float64) ([]float64, error)
	macs    func(n *Node) int // multiplications with addition; nil: none

	// batch tells whether the ONNX form keeps the batch in front, see package lower; nil: an operation of training
	// graphs, which have no ONNX form.
	batch func(w *Writer, n *Node) error
	// write adds the ONNX form and returns the result's name in the model; nil: the operator of the same name and operands.
	write func(w *Writer, n *Node) string

	// fixtures names the entries of testdata/operations.json, made by PyTorch, that the tests hold all of this against.
	fixtures []string
}

var rows = map[Op]row{}

// register is called from init functions, as rules refer to the rows through the builders.
func register(op Op, r row) { rows[op] = r }

// MACs is the number of multiplications with addition that a node costs, as models are compared by: those of matrix
// products and convolutions (bias not counted); 0 for all other operations.
func MACs(n *Node) int {
	if f := rows[n.op].macs; f != nil {
		return f(n)
	}
	return 0
}

// noGradient is the rule of operations that are constant almost everywhere.
func noGradient(_ *Graph, n, _ *Node) []*Node { return make([]*Node, len(n.in)) }

// apply builds one node: operands checked, shape inferred. Errors name the node, its operands and what was wanted.
func (g *Graph) apply(op Op, attrs any, in ...*Node) *Node {
	if g.err != nil {
		return g.fail(g.err)
	}
	name := fmt.Sprintf("%s%s_%d", g.scope, op, len(g.nodes))
	r, ok := rows[op]
	if !ok {
		return g.fail(fmt.Errorf("%s: unknown operation %q", name, op))
	}
	if len(in) < r.min || len(in) > r.max {
		return g.fail(fmt.Errorf("%s: wanted %d to %d operands, got %d", name, r.min, r.max, len(in)))
	}
	for i, x := range in {
		if x == nil || x.graph != g {
			return g.fail(fmt.Errorf("%s: operand %d is nil or of another graph", name, i))
		}
	}
	shape, typ, err := r.shape(in, attrs)
	if err == nil {
		err = shape.check()
	}
	if err != nil {
		return g.fail(fmt.Errorf("%s of %v: %w", name, in, err))
	}
	return g.add(&Node{op: op, name: name, in: in, shape: shape, typ: typ, attrs: attrs})
}

// wantTypes checks the operands' types; the last one wanted holds for all further operands.
func wantTypes(in []*Node, want ...Type) error {
	for i, n := range in {
		if w := want[min(i, len(want)-1)]; n.typ != w {
			return fmt.Errorf("operand %d: wanted %s, got %s", i, w, n.typ)
		}
	}
	return nil
}
