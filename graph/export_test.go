package graph

import (
	"fmt"
	"maps"
	"slices"
)

// Fixtures names the entries of testdata/operations.json that an operation's row lists.
func Fixtures(op Op) []string { return rows[op].fixtures }

// Ships tells whether an operation has an ONNX form.
func Ships(op Op) bool { return rows[op].batch != nil }

// Apply builds an operation that has no attributes.
func Apply(g *Graph, op Op, in []*Node) *Node { return g.apply(op, nil, in...) }

// Reference runs a graph in float64 with the plainest loops: the yardstick for fast kernels and for finite
// differences. It is slow, and applies no updates.
type Reference struct{ values map[*Node][]float64 }

// NewReference starts from the parameters' initial values.
func NewReference(g *Graph) (*Reference, error) {
	if g.err != nil {
		return nil, g.err
	}
	return &Reference{map[*Node][]float64{}}, nil
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
	values, out := maps.Clone(r.values), make([][]float64, len(outputs))
	for i, n := range outputs {
		var err error
		if out[i], err = evaluate(n, values); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Ops lists the operations in alphabetical order, without the leaves.
func Ops() []Op { return slices.Sorted(maps.Keys(rows)) }
