package ship

import (
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/run"
	"graft/onnx"
	"graft/onnx/onnxpb"
)

// TestWholeOfMany: photographs come one at a time, which a backbone that is fixed to several cannot take.
func TestWholeOfMany(t *testing.T) {
	input := onnx.Value{Name: "x", Type: onnx.Float32, Dims: []onnx.Dim{{Value: 4}, {Value: 3}, {Value: 8}, {Value: 8}}}
	b := onnx.NewBuilder(&onnx.Model{Opset: 18, Inputs: []onnx.Value{input}})
	runtest.WantError(t, before(&run.Run{}, b, input, nil, nil, true), "fixed to 4 images")
}

// TestInnerGraphs: what a branch reads of the pixels is not among its node's inputs, and is not overlooked.
func TestInnerGraphs(t *testing.T) {
	input := onnx.Value{Name: "x", Type: onnx.Float32, Dims: []onnx.Dim{{Value: 1}, {Value: 3}, {Value: 8}, {Value: 8}}}
	branch := &onnxpb.AttributeProto{G: &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{{OpType: new("Relu"), Input: []string{"x"}, Output: []string{"in"}}}}}
	choice := onnx.Node{Name: "choice", Op: "If", Inputs: []string{"c"}, Outputs: []string{"y"}, Attrs: []onnx.Attr{{Name: "then_branch", Value: branch}}}
	builder := func() *onnx.Builder {
		return onnx.NewBuilder(&onnx.Model{Opset: 18, Inputs: []onnx.Value{input}, Nodes: []onnx.Node{choice}})
	}
	runtest.WantError(t, secondPass(builder(), input, "x", nil), "choice", "graphs of its own")
	r := &run.Run{}
	r.Config.Head.UseFlip = true
	free := input
	free.Dims = append([]onnx.Dim{{Name: "N"}}, input.Dims[1:]...)
	runtest.WantError(t, before(r, builder(), free, nil, nil, false), "choice", "graphs of its own")
}
