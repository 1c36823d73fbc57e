package ort_test

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/session"
)

// Runs a model on the CPU. Without the library, OpenModel says how to install it.
func Example() {
	m := &onnx.Model{Name: "double", Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"})
	b.Output("y", b.Op("Mul", "y", []string{x, b.Float32s("two", []float32{2})}), onnx.Float32, onnx.Dim{Name: "N"})

	s, err := ort.OpenModel(m, session.Options{Provider: session.CPU})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	y := make([]float32, 3)
	err = s.Run(context.Background(),
		[]session.Tensor{{Name: "x", Shape: []int64{3}, Data: []float32{1, 2, 3}}},
		[]session.Tensor{{Name: "y", Shape: []int64{3}, Data: y}})
	fmt.Println(y, err, s.Provider())
}
