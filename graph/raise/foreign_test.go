package raise_test

import (
	"context"
	"testing"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/pretrained/foreigntest"
)

// foreign tells of each network of testdata how often operations are in its graph, whichever exporter wrote it: those that
// exporters take apart are there again, and no other ones of apart than are said here.
var foreign = map[string]map[graph.Op]int{
	"resnet_basic": {graph.OpConv: 13, graph.OpRelu: 11}, "resnet_bottleneck": {graph.OpConv: 19, graph.OpRelu: 16},
	"resnet_timm":  {graph.OpConv: 19, graph.OpBatchNormalization: 19, graph.OpAveragePool: 3},
	"mobilenet_v2": {graph.OpConv: 19, graph.OpClip: 13}, "mobilenet_v3": {graph.OpHardSwish: 7, graph.OpHardSigmoid: 3},
	"efficientnet": {graph.OpSwish: 16, graph.OpSigmoid: 5}, "efficientnet_lite": {graph.OpClip: 11}, "efficientnet_same": {graph.OpClip: 11},
	"convnext": {graph.OpLayerNormalization: 6, graph.OpGelu: 3}, "convnext_timm": {graph.OpLayerNormalization: 10, graph.OpGelu: 5},
	"vit": transformer, "vit_timm": transformer, "dinov2": transformer,
	"deit":          {graph.OpLayerNormalization: 7, graph.OpGelu: 3, graph.OpSoftmax: 3, graph.OpDiv: 1}, // the mean of its two classifiers
	"dinov2_swiglu": {graph.OpLayerNormalization: 7, graph.OpSwish: 3, graph.OpSoftmax: 3},
	"swin":          {graph.OpLayerNormalization: 9, graph.OpGelu: 3, graph.OpSoftmax: 3}, "swin_timm": {graph.OpLayerNormalization: 9, graph.OpGelu: 3, graph.OpSoftmax: 3},
	"forms": {graph.OpLayerNormalization: 12, graph.OpGelu: 1, graph.OpGeluTanh: 1, graph.OpSwish: 2, graph.OpSoftmax: 6,
		graph.OpDiv: 1, graph.OpTanh: 1, graph.OpSub: 1}, // scores over a root, Mish, ELU
}

// transformer is one of three blocks.
var transformer = map[graph.Op]int{graph.OpLayerNormalization: 7, graph.OpGelu: 3, graph.OpSoftmax: 3, graph.OpMatMul: 19}

// apart are the operations of which exporters make others.
var apart = []graph.Op{graph.OpErf, graph.OpTanh, graph.OpSqrt, graph.OpPow, graph.OpSub, graph.OpDiv}

// TestForeign: networks of torchvision and timm, as both of torch's exporters write them, give what ONNX Runtime gives.
func TestForeign(t *testing.T) {
	foreigntest.Each(t, "testdata", func(t *testing.T, n foreigntest.Network) {
		g := graph.New()
		part, err := raise.Nodes(g, n.Model, raise.Options{Inputs: map[string][]int{"pixels": foreigntest.Shape}})
		if err != nil {
			t.Fatal(err)
		}
		got := run(t, g, part, map[string][]float32{"pixels": n.Pixels})[0]
		if d := distance(got, n.Output); !(d <= 1e-5) {
			t.Errorf("%.2g away from what ONNX Runtime gave", d)
		}
		has, network := counts(part.Outputs), foreign[n.Name]
		if network == nil {
			t.Error("it is not said what the network holds")
		}
		for op, want := range network {
			if has[op] != want {
				t.Errorf("%d times %s, want %d", has[op], op, want)
			}
		}
		for _, op := range apart {
			if _, said := network[op]; has[op] > 0 && !said {
				t.Errorf("%d times %s: a form was not recognised", has[op], op)
			}
		}
		live(t, n, got)
	})
}

// live asks the native library, where it is at hand.
func live(t *testing.T, n foreigntest.Network, got []float32) {
	t.Helper()
	s, err := orttest.Open(n.Path, session.Options{Provider: session.CPU})
	if err != nil {
		t.Logf("not compared with this machine's ONNX Runtime: %v", err)
		return
	}
	defer s.Close()
	want := make([]float32, len(got))
	err = s.Run(context.Background(), []session.Tensor{{Name: "pixels", Shape: []int64{2, 3, 32, 32}, Data: n.Pixels}},
		[]session.Tensor{{Name: n.Model.Outputs[0].Name, Shape: []int64{2, int64(len(got) / 2)}, Data: want}})
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(got, want); !(d <= 1e-5) {
		t.Errorf("%.2g away from ONNX Runtime", d)
	}
}
