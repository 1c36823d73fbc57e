package ort

import "graft/onnx"

// tinyModel is what Doctor starts every provider with: y = xW + b for x float32
// [N,2], one product and one sum, which every provider has.
func tinyModel() *onnx.Model {
	m := &onnx.Model{Name: "tiny", Opset: 17, Producer: "graft"}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	w := b.Float32s("w", []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	bias := b.Float32s("b", []float32{10, 20, 30})
	sum := b.Op("Add", "y", []string{b.Op("MatMul", "xw", []string{x, w}), bias})
	b.Output("y", sum, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	return m
}
