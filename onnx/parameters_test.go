package onnx_test

import (
	"path/filepath"
	"testing"

	"graft/onnx"
)

// TestParameters counts what torch counts in the networks that its exporters wrote (sum(p.numel() for p in net.parameters())
// of scripts/fixtures_raise.py): running statistics, masks and constants of arithmetic are none.
func TestParameters(t *testing.T) {
	const folder = "../graph/raise/testdata"
	for name, want := range map[string]int64{
		"vit_14": 6473, "vit_dynamo": 6473, "vit_timm_17": 6473, "deit_11": 6562, "dinov2_14": 6581, "dinov2_dynamo": 6581,
		"dinov2_swiglu_16": 6113, "convnext_11": 4709, "convnext_timm_dynamo": 7221, "forms_dynamo": 10020,
		"resnet_basic_11": 7097, "resnet_basic_dynamo": 7097, "resnet_timm_13": 7149, "mobilenet_v3_14": 6581, "efficientnet_lite_11": 5629,
		// Folded into convolutions, each batch norm leaves a bias in the place of its weight and bias.
		"resnet_bottleneck_13": 10633 - 712/2, "mobilenet_v2_11": 3889 - 600/2,
	} {
		m, err := onnx.Open(filepath.Join(folder, name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if n := m.Parameters(); n != want {
			t.Errorf("%s: %d parameters, torch counts %d", name, n, want)
		}
		_ = m.Close()
	}
}

// TestParametersShared: a matrix that two layers read counts once; mean and std of colours, single numbers, shapes, scales
// and zero points do not, nor what no memory holds; weights in 8 bits and a classifier's bias for two classes do.
func TestParametersShared(t *testing.T) {
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("pixels", onnx.Uint8, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 1}, onnx.Dim{Value: 4})
	x = b.Op("DequantizeLinear", "floats", []string{x, b.Float32s("per_pixel", []float32{1. / 255}), b.Const("black", onnx.Uint8, nil, onnx.Bytes([]byte{0}))})
	x = b.Op("Div", "y", []string{b.Op("Sub", "x", []string{x, b.Float32s("mean", []float32{1, 2, 3}, 3, 1, 1)}), b.Float32s("std", []float32{1, 2, 3}, 3, 1, 1)})
	shared := b.Float32s("shared", make([]float32, 16), 4, 4)
	x = b.Op("MatMul", "b", []string{b.Op("MatMul", "a", []string{x, shared}), shared})
	x = b.Op("Mul", "c", []string{x, b.Float32s("half", []float32{0.5}, 1)})
	q := b.Const("eight", onnx.Int8, []int64{4, 2}, onnx.Bytes(make([]byte, 8)))
	zero := b.Const("zero", onnx.Int8, []int64{2}, onnx.Bytes(make([]byte, 2)))
	w := b.Op("DequantizeLinear", "w", []string{q, b.Float32s("scale", []float32{1, 1}, 2), zero}, onnx.Attr{Name: "axis", Value: 1})
	x = b.Op("Add", "e", []string{b.Op("MatMul", "d", []string{x, w}), b.Float32s("bias", []float32{1, 2}, 2)})
	b.Output("f", b.Op("Reshape", "g", []string{x, b.Int64s("shape", 0, -1)}), onnx.Float32)
	m.Initializers = append(m.Initializers, onnx.Tensor{Name: "huge", Type: onnx.Float32, Dims: []int64{1<<32 + 1, 1<<32 + 1}}) // 2³³+1, if 64 bits were all
	b.Op("MatMul", "unused", []string{x, "huge"})
	if n, want := m.Parameters(), int64(16+8+2); n != want {
		t.Errorf("%d parameters, want %d", n, want)
	}
}
