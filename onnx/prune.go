package onnx

import (
	"maps"
	"slices"

	"graft/onnx/onnxpb"
)

// Prune drops nodes and weights that no output needs, and hints about values
// that are gone. Inputs stay: they are the model's interface.
func (m *Model) Prune() {
	needed := map[string]bool{}
	for _, v := range m.Outputs {
		needed[v.Name] = true
	}
	nodes := make([]Node, 0, len(m.Nodes))
	produced := map[string]bool{}
	for _, n := range slices.Backward(m.Nodes) {
		if slices.ContainsFunc(n.Outputs, func(out string) bool { return out != "" && needed[out] }) {
			nodes = append(nodes, n)
			maps.Copy(needed, n.Reads())
			for _, out := range n.Outputs {
				produced[out] = true
			}
		}
	}
	slices.Reverse(nodes)
	m.Nodes, m.Initializers = nodes, named(m.Initializers, needed, func(t Tensor) string { return t.Name })
	if g := m.extra.graph; g != nil {
		g.ValueInfo = named(g.ValueInfo, produced, (*onnxpb.ValueInfoProto).GetName)
		g.SparseInitializer = named(g.SparseInitializer, needed, func(t *onnxpb.SparseTensorProto) string { return t.GetValues().GetName() })
		g.QuantizationAnnotation = named(g.QuantizationAnnotation, needed, (*onnxpb.TensorAnnotation).GetTensorName)
	}
}

// named is a new list of those whose names are wanted.
func named[T any](list []T, wanted map[string]bool, name func(T) string) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return !wanted[name(v)] })
}

// ForgetShapes drops the hints about the shapes of inner values: they are of one size of the inputs, and wrong of another.
func (m *Model) ForgetShapes() {
	if m.extra.graph != nil {
		m.extra.graph.ValueInfo = nil
	}
}
