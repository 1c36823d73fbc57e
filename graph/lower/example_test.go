package lower_test

import (
	"fmt"

	"graft/finetune/nets"
	"graft/graph/lower"
)

// Makes an ONNX model of the study's network, from 48×48 pixels to probabilities.
func Example() {
	net := nets.StudyCNN(7)
	m, err := lower.Classifier(net, nets.Init(net, 1), lower.Pixels{Height: 48, Width: 48, Fit: lower.FitResize})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Inputs[0])
	for _, v := range m.Outputs {
		fmt.Println(v)
	}
	for _, n := range m.Nodes[:6] {
		fmt.Print(n.Op, " ")
	}
	// Output:
	// pixels uint8 [N,1,48,48]
	// logits float32 [N,7]
	// probabilities float32 [N,7]
	// Cast Div MatMul MatMul Conv Relu
}
