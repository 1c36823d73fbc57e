package precision

import (
	"fmt"
	"math"

	"graft/onnx"
)

// maxHalf is the largest finite float16.
const maxHalf = 65504

// movers change the shape of their first input and no number.
var movers = map[string]bool{
	"Reshape": true, "Transpose": true, "Split": true, "Slice": true, "Gather": true, "Squeeze": true,
	"Unsqueeze": true, "Flatten": true, "Expand": true, "Identity": true,
}

// halver moves products and what lies between them to float16. Every value of
// the model keeps its name in float32 and may have a second one in float16.
type halver struct {
	*graph
	b     *onnx.Builder
	half  map[string]string // float16's name of a value or weight
	float map[string]bool   // values that exist in float32
}

func rewriteHalf(m *onnx.Model) (how string, products int, err error) {
	for _, n := range m.Nodes {
		if len(n.Graphs()) > 0 {
			return "", 0, fmt.Errorf("node %q (%s) holds a graph of its own, which float16 does not support; take int8", n.Name, n.Op)
		}
	}
	nodes := m.Nodes
	h := &halver{graph: newGraph(m), b: onnx.NewBuilder(m), half: map[string]string{}, float: map[string]bool{}}
	m.Nodes = nil // the builder appends
	for _, n := range nodes {
		if h.wants(n) {
			h.emitHalf(n)
		} else {
			h.emitFloat(n)
		}
		if isProduct(n) && h.half[n.Outputs[0]] != "" {
			products++
		}
	}
	for _, v := range m.Outputs {
		h.toFloat(v.Name)
	}
	how = fmt.Sprintf("%d products and what lies between them in float16; layer norm, softmax, residual sums, pixels and pooling in float32", products)
	return how, products, nil
}

func isProduct(n onnx.Node) bool {
	return n.Domain == "" && (n.Op == "MatMul" || n.Op == "Gemm" || n.Op == "Conv")
}

// wants tells whether a node runs in float16: products with weights, and all
// that follows them up to a norm, a softmax or a sum of two activations.
func (h *halver) wants(n onnx.Node) bool {
	if n.Domain != "" || len(n.Inputs) == 0 {
		return false
	}
	halves, small, weights := 0, 0, 0
	for _, name := range n.Inputs {
		t, constant := h.weight(name)
		switch {
		case h.half[name] != "" && !constant:
			halves++
		case constant && len(t.Dims) <= 1:
			small++
			weights++
		case constant:
			weights++
		}
	}
	_, elementwise := binary[n.Op]
	_, function := unary[n.Op]
	switch {
	case isProduct(n):
		return halves+weights > 0
	case movers[n.Op]:
		return h.half[n.Inputs[0]] != ""
	case n.Op == "Mul" || n.Op == "Div":
		return halves > 0 && halves+small == len(n.Inputs)
	case elementwise:
		return halves == 1 && halves+small == len(n.Inputs)
	}
	return (function || n.Op == "Gelu") && halves == 1
}

// weight is a constant of float32.
func (h *halver) weight(name string) (onnx.Tensor, bool) {
	t, ok := h.Constant(name)
	return t, ok && t.Type == onnx.Float32
}

// emitHalf adds n on float16 inputs and outputs.
func (h *halver) emitHalf(n onnx.Node) {
	inputs := make([]string, len(n.Inputs))
	for i, name := range n.Inputs {
		inputs[i] = name
		if t, constant := h.weight(name); constant {
			inputs[i] = h.halfWeight(name, t)
		} else if h.half[name] != "" || isProduct(n) {
			inputs[i] = h.toHalf(name)
		}
	}
	outputs := make([]string, len(n.Outputs))
	for i, name := range n.Outputs {
		if name != "" {
			outputs[i] = h.b.Unique(name + "_half")
			h.half[name] = outputs[i]
		}
	}
	n.Inputs, n.Outputs = inputs, outputs
	h.b.Model.Nodes = append(h.b.Model.Nodes, n)
}

// emitFloat adds n as it is.
func (h *halver) emitFloat(n onnx.Node) {
	for _, name := range n.Inputs {
		h.toFloat(name)
	}
	h.b.Model.Nodes = append(h.b.Model.Nodes, n)
}

// toHalf is float16's name of a value, which is made where it does not exist.
func (h *halver) toHalf(name string) string {
	if name == "" {
		return "" // an optional input left out
	}
	if h.half[name] == "" {
		h.half[name] = h.b.Op("Cast", name+"_half", []string{name}, onnx.Attr{Name: "to", Value: int64(onnx.Float16)})
		h.float[name] = true
	}
	return h.half[name]
}

// toFloat makes sure that a value exists in float32.
func (h *halver) toFloat(name string) {
	if _, constant := h.weight(name); constant || h.half[name] == "" || h.float[name] {
		return
	}
	h.float[name] = true
	h.b.Model.Nodes = append(h.b.Model.Nodes, onnx.Node{
		Op: "Cast", Name: h.b.Unique(name + "_float"), Inputs: []string{h.half[name]}, Outputs: []string{name},
		Attrs: []onnx.Attr{{Name: "to", Value: int64(onnx.Float32)}},
	})
}

// halfWeight adds a weight in float16, once.
func (h *halver) halfWeight(name string, t onnx.Tensor) string {
	if h.half[name] == "" {
		elements, _ := onnx.Elements(t.Dims)
		h.half[name] = h.b.Const(name+"_half", onnx.Float16, t.Dims, part{2 * elements, func() (onnx.Raw, error) { return halves(t) }})
	}
	return h.half[name]
}

// halves rounds a weight to float16.
func halves(t onnx.Tensor) (onnx.Raw, error) {
	v, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	for i, x := range v {
		if !(math.Abs(float64(x)) <= maxHalf) {
			return nil, fmt.Errorf("weights %q: element %d is %g, beyond float16's %d: keep float32, or take int8", t.Name, i, x, maxHalf)
		}
	}
	return onnx.Float16s(v), nil
}
