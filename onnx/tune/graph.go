package tune

import "graft/onnx"

// graph is what the rewrites need to know of a model.
type graph struct {
	onnx.Index
	ranks map[string]int // of values; those not known are absent
}

func newGraph(m *onnx.Model) *graph {
	g := &graph{Index: onnx.NewIndex(m), ranks: map[string]int{}}
	for _, t := range m.Initializers {
		g.ranks[t.Name] = len(t.Dims)
	}
	for _, v := range m.Inputs {
		if v.Dims != nil {
			g.ranks[v.Name] = len(v.Dims)
		}
	}
	for _, n := range m.Nodes {
		if r, ok := g.rank(n); ok {
			for _, out := range n.Outputs {
				g.ranks[out] = r
			}
		}
	}
	return g
}

// rank is that of a node's outputs, for the operators that matter here.
func (g *graph) rank(n onnx.Node) (int, bool) {
	if n.Domain != "" || len(n.Inputs) == 0 {
		return 0, false
	}
	first, ok := g.ranks[n.Inputs[0]]
	switch n.Op {
	case "Reshape":
		shape, known := g.Weights[n.Inputs[1]]
		if !known || len(shape.Dims) != 1 {
			return 0, false
		}
		return int(shape.Dims[0]), true
	case "Gather":
		picks, known := g.ranks[n.Inputs[1]]
		return first - 1 + picks, ok && known
	case "ReduceMin", "ReduceMax":
		return first, ok && n.Int("keepdims", 1) == 1
	case "MatMul":
		second, known := g.ranks[n.Inputs[1]]
		return max(first, second), ok && known && min(first, second) >= 2
	}
	if binary[n.Op] {
		for _, name := range n.Inputs {
			r, known := g.ranks[name]
			first, ok = max(first, r), ok && known
		}
		return first, ok
	}
	return first, ok && (unary[n.Op] || keepsRank[n.Op])
}

// keepsRank lists further operators whose outputs have the rank of the first
// input.
var keepsRank = map[string]bool{
	"Resize": true, "Concat": true, "Conv": true, "Transpose": true, "Pad": true, "Slice": true, "Split": true, "Softmax": true,
	"LayerNormalization": true, "QuantizeLinear": true, "DequantizeLinear": true,
}

// constants reads a weight of integers; nil if the name stands for none.
func (g *graph) constants(name string) []int64 {
	v, _ := g.Weights[name].Int64s() // nil of other types, and of none
	return v
}
