package session_test

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/session"
)

// doubler is an engine for models of one kind: y is twice x. What it leaves out of
// session.Session is the model's description.
type doubler struct {
	session.Session
	inputs, outputs []onnx.Value
}

func (d doubler) Run(_ context.Context, in, out []session.Tensor) error {
	x, err := session.Inputs(d.inputs, in)
	if err != nil {
		return err
	}
	y, err := session.Outputs(d.outputs, out)
	if err != nil {
		return err
	}
	for i, v := range x[0].Data.([]float32) {
		y[0].Data.([]float32)[i] = 2 * v
	}
	return nil
}

// An engine has its tensors checked and put in order before it looks at them.
func Example() {
	vector := []onnx.Dim{{Name: "N"}}
	var s session.Session = doubler{
		inputs:  []onnx.Value{{Name: "x", Type: onnx.Float32, Dims: vector}},
		outputs: []onnx.Value{{Name: "y", Type: onnx.Float32, Dims: vector}},
	}
	y := make([]float32, 2)
	in := []session.Tensor{{Name: "x", Shape: []int64{2}, Data: []float32{1, 3}}}
	out := []session.Tensor{{Name: "y", Shape: []int64{2}, Data: y}}
	fmt.Println(s.Run(context.Background(), in, out), y)
	in[0].Data = []uint8{1, 3}
	fmt.Println(s.Run(context.Background(), in, out))
	// Output:
	// <nil> [2 6]
	// run: input "x": want x float32 [N], got uint8
}
