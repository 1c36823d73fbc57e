package onnx

import (
	"maps"

	"graft/onnx/onnxpb"
)

// Prune drops nodes and weights that no output needs, and hints about values
// that are gone. Inputs stay: they are the model's interface.
func (m *Model) Prune() {
	needed := map[string]bool{}
	for _, v := range m.Outputs {
		needed[v.Name] = true
	}
	keep := make([]bool, len(m.Nodes))
	for i := len(m.Nodes) - 1; i >= 0; i-- {
		for _, out := range m.Nodes[i].Outputs {
			keep[i] = keep[i] || out != "" && needed[out]
		}
		if keep[i] {
			maps.Copy(needed, m.Nodes[i].Reads())
		}
	}
	nodes := make([]Node, 0, len(m.Nodes))
	produced := map[string]bool{}
	for i, n := range m.Nodes {
		if keep[i] {
			nodes = append(nodes, n)
			for _, out := range n.Outputs {
				produced[out] = true
			}
		}
	}
	weights := make([]Tensor, 0, len(m.Initializers))
	for _, t := range m.Initializers {
		if needed[t.Name] {
			weights = append(weights, t)
		}
	}
	m.Nodes, m.Initializers = nodes, weights
	m.pruneHints(needed, produced)
}

func (m *Model) pruneHints(needed, produced map[string]bool) {
	g := m.extra.graph
	if g == nil {
		return
	}
	var hints []*onnxpb.ValueInfoProto
	for _, v := range g.ValueInfo {
		if produced[v.GetName()] {
			hints = append(hints, v)
		}
	}
	var sparse []*onnxpb.SparseTensorProto
	for _, t := range g.SparseInitializer {
		if needed[t.GetValues().GetName()] {
			sparse = append(sparse, t)
		}
	}
	var notes []*onnxpb.TensorAnnotation
	for _, a := range g.QuantizationAnnotation {
		if needed[a.GetTensorName()] {
			notes = append(notes, a)
		}
	}
	g.ValueInfo, g.SparseInitializer, g.QuantizationAnnotation = hints, sparse, notes
}

func (m *Model) sparseNames() map[string]bool {
	out := map[string]bool{}
	for _, t := range m.extra.graph.GetSparseInitializer() {
		out[t.GetValues().GetName()] = true
	}
	return out
}
