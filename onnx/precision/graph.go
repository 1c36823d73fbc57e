package precision

import (
	"graft/onnx"
)

// graph finds the nodes and weights of a model by the names of values.
type graph struct {
	model     *onnx.Model
	producers map[string]*onnx.Node
	readers   map[string][]*onnx.Node // nil stands for the model's own output
	weights   map[string]*onnx.Tensor
	scalars   map[string]expression // see floor
}

func index(m *onnx.Model) *graph {
	g := &graph{model: m, producers: map[string]*onnx.Node{}, readers: map[string][]*onnx.Node{}, weights: map[string]*onnx.Tensor{}, scalars: map[string]expression{}}
	for i := range m.Nodes {
		for _, out := range m.Nodes[i].Outputs {
			g.producers[out] = &m.Nodes[i]
		}
		for name := range m.Nodes[i].Reads() {
			g.readers[name] = append(g.readers[name], &m.Nodes[i])
		}
	}
	for _, v := range m.Outputs {
		g.readers[v.Name] = append(g.readers[v.Name], nil)
	}
	for i := range m.Initializers {
		g.weights[m.Initializers[i].Name] = &m.Initializers[i]
	}
	return g
}

// constant is the tensor that a name always stands for: an initialiser, or what
// a Constant node holds.
func (g *graph) constant(name string) (onnx.Tensor, bool) {
	if t, ok := g.weights[name]; ok {
		return *t, true
	}
	n, ok := g.producers[name]
	if !ok || n.Op != "Constant" || n.Domain != "" {
		return onnx.Tensor{}, false
	}
	for _, a := range n.Attrs {
		if t, ok := a.Value.(onnx.Tensor); ok && a.Name == "value" {
			return t, true
		}
	}
	return onnx.Tensor{}, false
}

// matrix is the constant float32 matrix [in,out] on the right of a product.
func (g *graph) matrix(n onnx.Node) (*onnx.Tensor, bool) {
	if n.Op != "MatMul" || n.Domain != "" || len(n.Inputs) != 2 {
		return nil, false
	}
	t, ok := g.weights[n.Inputs[1]]
	return t, ok && t.Type == onnx.Float32 && len(t.Dims) == 2 && t.Dims[0] > 0 && t.Dims[1] > 0
}

// repeated are the matrices of the layers that a network repeats: those whose
// shape at least two products have. That leaves out projections and classifiers
// at the end, which matter more and cost little.
func (g *graph) repeated() map[string]bool {
	type shape [2]int64
	count := map[shape]int{}
	for _, n := range g.model.Nodes {
		if t, ok := g.matrix(n); ok {
			count[shape(t.Dims)]++
		}
	}
	out := map[string]bool{}
	for _, n := range g.model.Nodes {
		if t, ok := g.matrix(n); ok && count[shape(t.Dims)] > 1 {
			out[t.Name] = true
		}
	}
	return out
}
