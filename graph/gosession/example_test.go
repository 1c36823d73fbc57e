package gosession_test

import (
	"context"
	"fmt"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/session"
)

// A model of one product runs for any number of rows.
func Example() {
	m := &onnx.Model{Name: "sums", Opset: 13}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	b.Output("y", b.Op("MatMul", "y", []string{x, b.Float32s("w", []float32{1, 10}, 2, 1)}), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 1})
	s, err := gosession.Open(m, session.Options{Provider: session.Go})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	y := make([]float32, 2)
	in := []session.Tensor{{Name: "x", Shape: []int64{2, 2}, Data: []float32{1, 2, 3, 4}}}
	err = s.Run(context.Background(), in, []session.Tensor{{Name: "y", Shape: []int64{2, 1}, Data: y}})
	fmt.Println(err, y)
	// Output: <nil> [21 43]
}
