package tune

import (
	"fmt"
	"slices"

	"graft/onnx"
)

const (
	// aliased is the distance in bytes of addresses that share a set of the
	// first-level cache: 64 sets of 64 bytes in today's x86 processors.
	aliased = 4096
	// spare is how many hidden units are added: a cache line of float32.
	spare = 16
)

// strides widens hidden layers whose rows lie a multiple of aliased apart.
func strides(m *onnx.Model) {
	w := &widener{graph: newGraph(m), b: onnx.NewBuilder(m), nodes: m.Nodes, made: map[string]string{}}
	m.Nodes = nil // the builder appends what widens weights, which comes first
	for i, n := range w.nodes {
		if t, ok := w.Matrix(n); ok && 4*t.Dims[1]%aliased == 0 {
			w.widen(i, t.Dims[1])
		}
	}
	m.Nodes = append(m.Nodes, w.nodes...)
}

// widener adds hidden units.
type widener struct {
	*graph
	b     *onnx.Builder
	nodes []onnx.Node
	made  map[string]string // what has been added, by what it is
}

// place is one input of a node, and the axis along which its weights grow.
type place struct{ node, input, axis int }

// widen adds zero columns to the weights of the product at i, and zero rows to
// those of the products that read what elementwise operators make of it. Where
// anything else reads it, all stays as it is. hidden is the width.
func (w *widener) widen(i int, hidden int64) {
	values := map[string]bool{w.nodes[i].Outputs[0]: true}
	grow := []place{{i, 1, 1}}
	last := 0
	for j := i + 1; j < len(w.nodes); j++ {
		n := w.nodes[j]
		if !readsAny(n, values) {
			continue
		}
		if _, ok := w.Matrix(n); ok && values[n.Inputs[0]] {
			grow = append(grow, place{j, 1, 0})
			last++
			continue
		}
		vectors, ok := w.elementwise(n, values, hidden)
		if !ok {
			return
		}
		for _, k := range vectors {
			grow = append(grow, place{j, k, len(w.Weights[n.Inputs[k]].Dims) - 1})
		}
		values[n.Outputs[0]] = true
	}
	for name := range values {
		if last == 0 || slices.Contains(w.Readers[name], nil) { // read by nothing, or the model's own output
			return
		}
	}
	for _, p := range grow {
		n := &w.nodes[p.node]
		n.Inputs = slices.Clone(n.Inputs)
		n.Inputs[p.input] = w.grown(n.Inputs[p.input], p.axis)
	}
}

func readsAny(n onnx.Node, values map[string]bool) bool {
	for name := range n.Reads() {
		if values[name] {
			return true
		}
	}
	return false
}

// elementwise tells whether n works on every hidden unit by itself and makes of
// zeros something finite, which zero rows of the next weights then silence. vectors
// are the inputs that hold a weight for each unit.
func (w *widener) elementwise(n onnx.Node, values map[string]bool, hidden int64) (vectors []int, ok bool) {
	switch {
	case n.Domain != "" || len(n.Outputs) != 1 || n.Op == "Reciprocal":
		return nil, false
	case unary[n.Op]:
		return nil, true
	case !binary[n.Op]:
		return nil, false
	}
	for k, name := range n.Inputs {
		t, weight := w.Weights[name]
		size, _ := onnx.Elements(t.Dims)
		switch {
		case n.Op == "Div" && (k == 0) != values[name]:
			return nil, false
		case values[name], weight && size == 1:
		case weight && n.Op != "Div" && t.Type == onnx.Float32 && size == hidden && t.Dims[len(t.Dims)-1] == hidden:
			vectors = append(vectors, k)
		default:
			return nil, false
		}
	}
	return vectors, true
}

// grown is a weight with zeros appended along axis. A runtime computes that once,
// when it loads the model.
func (w *widener) grown(name string, axis int) string {
	dims := slices.Clone(w.Weights[name].Dims)
	dims[axis] = spare
	zeros := w.once("zeros "+fmt.Sprint(dims), func() string {
		n, _ := onnx.Elements(dims)
		return w.b.Float32s("zeros", make([]float32, n), dims...)
	})
	return w.once(fmt.Sprint(name, " ", axis), func() string {
		return w.b.Op("Concat", name+"_wide", []string{name, zeros}, onnx.Attr{Name: "axis", Value: axis})
	})
}

func (w *widener) once(key string, make func() string) string {
	if w.made[key] == "" {
		w.made[key] = make()
	}
	return w.made[key]
}
