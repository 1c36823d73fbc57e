package precision_test

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/precision"
)

// Two linear layers of one shape become products of int8.
func ExampleRewrite() {
	m := &onnx.Model{Name: "layers", Opset: 18}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	for _, name := range []string{"first", "second"} {
		x = b.Op("MatMul", name, []string{x, b.Float32s(name+".weight", []float32{1, 2, 3, 4}, 2, 2)})
	}
	b.Output("y", x, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})

	products, err := precision.Rewrite(m, precision.Int8)
	fmt.Println(products, err, m.Metadata["graft.precision"])
	for _, t := range m.Initializers {
		if t.Type == onnx.Int8 {
			fmt.Println(t.Name, t.Dims)
		}
	}
	// Output:
	// 2 <nil> int8
	// first.weight_int8 [2 2]
	// second.weight_int8 [2 2]
}
