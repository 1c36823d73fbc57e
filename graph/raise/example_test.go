package raise_test

import (
	"context"
	"fmt"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
)

// A model of one linear layer becomes a graph, and runs without a runtime.
func Example() {
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	y := b.Op("Gemm", "y", []string{x, b.Float32s("weight", []float32{1, 2, 3, 4}, 2, 2), b.Float32s("bias", []float32{10, 20})})
	b.Output("y", y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})

	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": {1, 2}}})
	if err != nil {
		panic(err)
	}
	p, err := engine.Compile(g, part.Outputs, nil, engine.Options{})
	if err != nil {
		panic(err)
	}
	if err := p.Set(part.Inputs["x"], []float32{1, 1}); err != nil {
		panic(err)
	}
	if err := p.Run(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(p.Value(part.Outputs[0]))
	// Output: [14 26]
}
