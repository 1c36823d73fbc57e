package onnx

import "slices"

// Parameters is how many learned numbers the model holds: the elements of its weights, each tensor once however many nodes
// read it, and those in int8 or uint8 that are dequantised or multiplied as such. Not counted are single numbers, integers
// that are shapes and indices, scales and zero points of quantisation, running means and variances of batch norms, and
// what is done to pixels before the first layer (mean and std of colours, scales of a resize). A copy of a tied matrix
// counts if the file holds it as a tensor of its own, and so do tables that an exporter computed.
func (m *Model) Parameters() int64 {
	x := NewIndex(m)
	pixels := m.pixels(x)
	var sum int64
	count := func(name string, t Tensor) {
		n, err := Elements(t.Dims)
		if err == nil && n > 1 && slices.ContainsFunc(x.Readers[name], func(n *Node) bool { return n != nil && n.learns(name, t.Type, pixels) }) {
			sum += n
		}
	}
	for _, t := range m.Initializers {
		count(t.Name, t)
	}
	for _, n := range m.Nodes {
		if t, ok := n.Attr("value").(Tensor); ok && n.Op == "Constant" && n.Domain == "" && len(n.Outputs) == 1 {
			count(n.Outputs[0], t)
		}
	}
	return sum
}

// notLearned are operands, by their number, that describe how an operator works.
var notLearned = map[string][]int{
	"BatchNormalization": {3, 4}, "Resize": {1, 2}, "Upsample": {1}, "Clip": {1, 2}, "Pad": {2},
	"QuantizeLinear": {1, 2}, "DequantizeLinear": {1, 2}, "DynamicQuantizeMatMul": {2, 3},
	"MatMulInteger": {2, 3}, "ConvInteger": {2, 3}, "QLinearMatMul": {1, 2, 4, 5, 6, 7}, "QLinearConv": {1, 2, 4, 5, 6, 7},
}

// quantised are operators whose operands in 8 bits are weights.
var quantised = []string{"DequantizeLinear", "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "QGemm", "DynamicQuantizeMatMul"}

// learns tells whether n reads the constant of that name and type as a weight.
func (n *Node) learns(constant string, t DType, pixels map[string]bool) bool {
	switch t {
	case Float32, Float16, BFloat16, Float64:
	case Int8, Uint8, Int32: // biases of quantised layers are int32
		if !slices.Contains(quantised, n.Op) {
			return false
		}
	default:
		return false
	}
	if slices.Contains(ofPixels, n.Op) && slices.ContainsFunc(n.Inputs, func(name string) bool { return pixels[name] }) {
		return false
	}
	for i, name := range n.Inputs {
		if name == constant && !slices.Contains(notLearned[n.Op], i) {
			return true
		}
	}
	return !slices.Contains(n.Inputs, constant) // it is read in a graph of n's
}

// ofPixels are operators that change pixels one by one, or move them, before a network's first layer.
var ofPixels = []string{"Cast", "Sub", "Div", "Mul", "Add", "Resize", "Upsample", "Transpose", "Concat", "Expand", "Tile", "Reshape",
	"Slice", "Unsqueeze", "Squeeze", "Clip", "Identity", "Pad", "ReduceMean", "QuantizeLinear", "DequantizeLinear"}

// pixels are the values that are pixels still: the inputs, and what comes of them by such operators alone.
func (m *Model) pixels(x Index) map[string]bool {
	out := map[string]bool{}
	for _, v := range m.Inputs {
		if _, ok := x.Weights[v.Name]; !ok {
			out[v.Name] = true
		}
	}
	for _, n := range m.Nodes { // operands come first
		if !slices.Contains(ofPixels, n.Op) {
			continue
		}
		live := slices.DeleteFunc(slices.Clone(n.Inputs), func(name string) bool {
			_, constant := x.Constant(name)
			return name == "" || constant
		})
		if len(live) > 0 && !slices.ContainsFunc(live, func(name string) bool { return !out[name] }) {
			for _, o := range n.Outputs {
				out[o] = true
			}
		}
	}
	return out
}
