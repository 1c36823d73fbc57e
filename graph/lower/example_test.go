package lower_test

import (
	"fmt"

	"graft/graph"
	"graft/graph/lower"
	"graft/onnx"
)

// A graph for one example becomes the nodes of a model for any number of them.
func ExampleNodes() {
	g := graph.New()
	x := g.Input("x", 1, 3)
	y := g.Relu(g.MatMul(x, g.Parameter("w", make([]float32, 6), 3, 2)))

	m := &onnx.Model{Opset: lower.Opset}
	b := onnx.NewBuilder(m)
	in := b.Input("features", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	names, err := lower.Nodes(b, []*graph.Node{y}, lower.Options{Inputs: map[string]string{"x": in}})
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Output("out", names[0], onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	for _, n := range m.Nodes {
		fmt.Print(n.Op, " ")
	}
	// Output: MatMul Relu Identity
}
