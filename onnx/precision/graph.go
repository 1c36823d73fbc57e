package precision

import "graft/onnx"

// graph is the model that is rewritten, as it was.
type graph struct {
	onnx.Index
	model   *onnx.Model
	scalars map[string]expression // see floor
}

func newGraph(m *onnx.Model) *graph {
	return &graph{Index: onnx.NewIndex(m), model: m, scalars: map[string]expression{}}
}

// repeated are the matrices of the layers that a network repeats: those whose
// shape at least two products have. That leaves out projections and classifiers
// at the end, which matter more and cost little.
func (g *graph) repeated() map[string]bool {
	count := map[[2]int64]int{}
	for _, n := range g.model.Nodes {
		if t, ok := g.Matrix(n); ok {
			count[[2]int64(t.Dims)]++
		}
	}
	out := map[string]bool{}
	for _, n := range g.model.Nodes {
		if t, ok := g.Matrix(n); ok && count[[2]int64(t.Dims)] > 1 {
			out[t.Name] = true
		}
	}
	return out
}
