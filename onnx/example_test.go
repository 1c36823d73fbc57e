package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"

	"graft/onnx"
)

// A model that doubles its input, written and read back.
func Example() {
	m := &onnx.Model{Name: "double", Opset: 17, Metadata: map[string]string{"unit": "pixels"}}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	y := b.Op("Mul", "y", []string{x, b.Float32s("two", []float32{2})})
	b.Output("y", y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	if err := m.Validate(); err != nil {
		fmt.Println(err)
	}

	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "double.onnx")
	if err := m.WriteFile(path); err != nil {
		fmt.Println(err)
	}
	back, err := onnx.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer back.Close()
	weights, _ := back.Initializers[0].Float32s()
	fmt.Println(back.Inputs[0], back.Metadata["unit"], back.Nodes[0].Op, weights)
	// Output: x float32 [N,3] pixels Mul [2]
}
