package ship

import (
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/run"
	"graft/onnx"
)

// TestWholeOfMany: photographs come one at a time, which a backbone that is fixed to several cannot take.
func TestWholeOfMany(t *testing.T) {
	input := onnx.Value{Name: "x", Type: onnx.Float32, Dims: []onnx.Dim{{Value: 4}, {Value: 3}, {Value: 8}, {Value: 8}}}
	b := onnx.NewBuilder(&onnx.Model{Opset: 18, Inputs: []onnx.Value{input}})
	runtest.WantError(t, before(&run.Run{}, b, input, nil, nil, true), "fixed to 4 images")
}
