package graph

import (
	"fmt"
	"slices"
)

// Op names an operation. The names are ONNX's where one operator does the same.
type Op string

// The three kinds of leaves; they have no entry in the registry.
const (
	OpInput     Op = "Input"
	OpParameter Op = "Parameter"
	OpConstant  Op = "Constant"
)

// spec is one operation's entry: everything the package knows about it.
type spec struct {
	onnx      string // the operator, or the short chain of operators, of ONNX opset 18 that does the same
	min, max  int    // number of operands
	broadcast bool   // a gradient may have the broadcast shape; Gradient sums it down
	// shape checks the operands and gives the result's shape and type.
	shape func(in []*Node, attrs any) (Shape, Type, error)
	// grad builds the operands' gradients from that of n; nil: the operation has no rule. A nil in the list: no
	// gradient flows to that operand.
	grad func(g *Graph, n, dy *Node) []*Node
}

var registry = map[Op]spec{}

// register is called from init functions, as rules refer to the registry through the builders.
func register(op Op, s spec) { registry[op] = s }

// Ops lists the registered operations in alphabetical order, without the leaves.
func Ops() []Op {
	var out []Op
	for op := range registry {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}

// ONNX is the operator, or the chain of operators joined by "+", that an operation maps onto; "" for an unknown one.
func ONNX(op Op) string { return registry[op].onnx }

// Differentiable tells whether the operation has a gradient rule.
func Differentiable(op Op) bool { return registry[op].grad != nil }

// noGradient is the rule of operations that are constant almost everywhere.
func noGradient(_ *Graph, n, _ *Node) []*Node { return make([]*Node, len(n.in)) }

// apply builds one node: operands checked, shape inferred. Errors name the node, its operands and what was wanted.
func (g *Graph) apply(op Op, attrs any, in ...*Node) *Node {
	if g.err != nil {
		return g.fail(g.err)
	}
	name := fmt.Sprintf("%s%s_%d", g.scope, op, len(g.nodes))
	s, ok := registry[op]
	if !ok {
		return g.fail(fmt.Errorf("%s: unknown operation %q", name, op))
	}
	if len(in) < s.min || len(in) > s.max {
		return g.fail(fmt.Errorf("%s: wanted %d to %d operands, got %d", name, s.min, s.max, len(in)))
	}
	for i, x := range in {
		if x == nil || x.graph != g {
			return g.fail(fmt.Errorf("%s: operand %d is nil or of another graph", name, i))
		}
	}
	shape, typ, err := s.shape(in, attrs)
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

// wantRank checks one operand's rank.
func wantRank(n *Node, what string, rank int) error {
	if len(n.shape) != rank {
		return fmt.Errorf("%s: wanted rank %d, got shape %v", what, rank, n.shape)
	}
	return nil
}
