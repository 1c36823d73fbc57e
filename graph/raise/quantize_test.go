package raise_test

import (
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

func whole(b *onnx.Builder, name string, t onnx.DType, data []byte, dims ...int64) string {
	return b.Const(name, t, dims, onnx.Bytes(data))
}

func bytesOf(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(source.Uint32())
	}
	return out
}

// small are signed bytes whose products with others do not saturate in ONNX Runtime on processors without VNNI.
func small(n int) []byte {
	out := bytesOf(n)
	for i := range out {
		out[i] = byte(int8(out[i]) / 2)
	}
	return out
}

// TestQuantised wants ONNX Runtime's numbers of what quantisers write, of the file as it is: rewritten, it would round more.
func TestQuantised(t *testing.T) {
	orttest.Require(t)
	for name, c := range map[string]struct {
		opset int64
		build func(b *onnx.Builder, x string) string
	}{
		"uint8 and back": {13, func(b *onnx.Builder, x string) string {
			scale, zero := b.Float32s("scale", []float32{0.013}), whole(b, "zero", onnx.Uint8, []byte{117})
			return b.Op("DequantizeLinear", "y", []string{b.Op("QuantizeLinear", "q", []string{x, scale, zero}), scale, zero})
		}},
		"int8 along an axis": {13, func(b *onnx.Builder, x string) string {
			scale, zero := b.Float32s("scale", []float32{0.01, 0.02, 0.03}), whole(b, "zero", onnx.Int8, []byte{0, 3, 250}, 3)
			q := b.Op("QuantizeLinear", "q", []string{x, scale, zero}, attr("axis", int64(1)))
			return b.Op("DequantizeLinear", "y", []string{q, scale, zero}, attr("axis", int64(1)))
		}},
		"a weight by columns": {13, func(b *onnx.Builder, x string) string {
			scale := b.Float32s("scale", []float32{0.01, 0.02, 0.03, 0.015, 0.005})
			w := b.Op("DequantizeLinear", "w", []string{whole(b, "int8", onnx.Int8, bytesOf(40), 8, 5), scale}, attr("axis", int64(1)))
			return b.Op("MatMul", "y", []string{x, w})
		}},
		"a weight by rows": {13, func(b *onnx.Builder, x string) string {
			scale, zero := b.Float32s("scale", []float32{0.01, 0.02, 0.03, 0.015, 0.005}), whole(b, "zero", onnx.Uint8, []byte{128, 120, 110, 0, 255}, 5)
			w := b.Op("DequantizeLinear", "w", []string{whole(b, "uint8", onnx.Uint8, bytesOf(40), 5, 8), scale, zero}, attr("axis", int64(0)))
			return b.Op("MatMul", "y", []string{x, b.Op("Transpose", "turned", []string{w}, attr("perm", []int64{1, 0}))})
		}},
		"a product of both": {13, func(b *onnx.Builder, x string) string {
			step, zero := b.Float32s("step", []float32{0.02}), whole(b, "zero", onnx.Uint8, []byte{128})
			q := b.Op("QuantizeLinear", "q", []string{x, step, zero})
			scale := b.Float32s("scale", []float32{0.01, 0.02, 0.03, 0.015, 0.005})
			w := b.Op("DequantizeLinear", "w", []string{whole(b, "int8", onnx.Int8, bytesOf(40), 8, 5), scale}, attr("axis", int64(1)))
			return b.Op("MatMul", "y", []string{b.Op("DequantizeLinear", "rounded", []string{q, step, zero}), w})
		}},
		"a product of a vector": {13, func(b *onnx.Builder, x string) string {
			step, zero := b.Float32s("step", []float32{0.02}), whole(b, "zero", onnx.Uint8, []byte{128})
			q := b.Op("QuantizeLinear", "q", []string{b.Op("Reshape", "flat", []string{x, b.Int64s("all", -1)}), step, zero})
			w := b.Op("DequantizeLinear", "w", []string{whole(b, "int8", onnx.Int8, small(384*5), 384, 5), b.Float32s("scale", []float32{0.01})})
			return b.Op("MatMul", "y", []string{b.Op("DequantizeLinear", "rounded", []string{q, step, zero}), w})
		}},
		"dynamic": {13, func(b *onnx.Builder, x string) string {
			q := b.OpN("DynamicQuantizeLinear", 3, "q", []string{x})
			y := b.Op("MatMulInteger", "sums", []string{q[0], whole(b, "int8", onnx.Int8, small(40), 8, 5), q[2], whole(b, "zero", onnx.Int8, []byte{0})})
			y = b.Op("Cast", "real", []string{y}, attr("to", int64(onnx.Float32)))
			return b.Op("Mul", "y", []string{y, b.Op("Mul", "step", []string{q[1], b.Float32s("scale", []float32{0.02})})})
		}},
		"dynamic, zero points of columns": {13, func(b *onnx.Builder, x string) string {
			q := b.OpN("DynamicQuantizeLinear", 3, "q", []string{x})
			y := b.Op("MatMulInteger", "sums", []string{q[0], whole(b, "uint8", onnx.Uint8, bytesOf(40), 8, 5), q[2], whole(b, "zero", onnx.Uint8, []byte{1, 128, 255, 4, 7}, 5)})
			return b.Op("Cast", "real", []string{y}, attr("to", int64(onnx.Float32)))
		}},
		"least": {13, func(b *onnx.Builder, x string) string {
			return b.Op("ReduceMin", "y", []string{x}, attr("axes", []int64{-1}))
		}},
		"floor": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Floor", "y", []string{b.Op("Mul", "wide", []string{x, b.Float32s("seven", []float32{7})})})
		}},
		"round": {11, func(b *onnx.Builder, x string) string { return b.Op("Round", "y", []string{x}) }},
	} {
		m := model(c.opset, c.build)
		g := graph.New()
		part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": images}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x := random(graph.Shape(images).Size())
		got := run(t, g, part, map[string][]float32{"x": x})[0]
		want := runtimeOn(t, session.Options{Provider: session.CPU, Trial: true}, m, x, []int64{2, 3, 8, 8}, part.Outputs[0].Shape())
		if d := distance(got, want); !(d <= 1e-6) {
			t.Errorf("%s: %.2g away from ONNX Runtime's", name, d)
		}
		for _, p := range g.Parameters(false) {
			t.Errorf("%s: %v would learn", name, p)
		}
		if n := part.Outputs[0]; name == "a product of both" {
			for n.Op() != graph.OpMatMul {
				n = n.Inputs()[0]
			}
			if !n.Attrs().(graph.MatMulAttrs).Whole {
				t.Errorf("%s: not of whole numbers", name)
			}
			packed := runWith(t, g, part, map[string][]float32{"x": x}, engine.Options{Weights: engine.NewWeights()})[0]
			if d := distance(packed, got); !(d <= 1e-6) {
				t.Errorf("%s: packed, %.2g away from the product in float32", name, d)
			}
		}
	}
}
