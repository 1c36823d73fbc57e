package vit

import (
	"math"

	"graft/onnx"
)

// activationConstants adds the numbers that activation and classify need.
func (w *writer) activationConstants(k *constants) {
	c := w.Config
	scalar := func(name string, v float32) string { return w.b.Float32s(name, []float32{v}) }
	switch {
	case c.Gated:
	case c.act() == GELU:
		k.sqrt2 = scalar("sqrt_2", math.Sqrt2)
		k.one, k.half = scalar("one", 1), scalar("half", 0.5)
	case c.act() == TanhGELU:
		k.cubic, k.tanh = scalar("gelu_cubic", 0.044715), scalar("gelu_tanh", float32(math.Sqrt(2/math.Pi)))
		k.one, k.half = scalar("one", 1), scalar("half", 0.5)
	case c.act() == QuickGELU:
		k.slope = scalar("gelu_slope", 1.702)
	}
	if k.half == "" && c.Distilled {
		k.half = scalar("half", 0.5)
	}
}

// activation is what stands between the layers of a block's perceptron, in the
// orders of operations that ONNX Runtime fuses into one.
func (w *writer) activation(x, b string, k constants) string {
	switch {
	case w.Config.Gated:
		return w.swiGLU(x, b)
	case w.Config.act() == TanhGELU:
		return w.tanhGELU(x, b, k)
	case w.Config.act() == QuickGELU:
		y := w.b.Op("Sigmoid", b+"gelu_sigmoid", []string{w.b.Op("Mul", b+"gelu_mul", []string{x, k.slope})})
		return w.b.Op("Mul", b+"gelu", []string{x, y})
	}
	return w.b.Gelu(b+"gelu", x, k.sqrt2, k.one, k.half)
}

// tanhGELU is ½x·(1 + tanh(√(2/π)·x·(1 + 0.044715x²))).
func (w *writer) tanhGELU(x, b string, k constants) string {
	y := w.b.Op("Mul", b+"gelu_cubic", []string{x, k.cubic})
	y = w.b.Op("Mul", b+"gelu_square", []string{y, x})
	y = w.b.Op("Add", b+"gelu_poly", []string{y, k.one})
	y = w.b.Op("Mul", b+"gelu_inner", []string{w.b.Op("Mul", b+"gelu_mul", []string{x, k.tanh}), y})
	y = w.b.Op("Tanh", b+"gelu_tanh", []string{y})
	y = w.b.Op("Add", b+"gelu_add", []string{y, k.one})
	return w.b.Op("Mul", b+"gelu", []string{w.b.Op("Mul", b+"gelu_half", []string{x, k.half}), y})
}

// swiGLU lets one half of [N,T,2·MLP], after SiLU, scale the other (Shazeer
// 2020).
func (w *writer) swiGLU(x, b string) string {
	parts := w.b.OpN("Split", 2, b+"gate_split", []string{x}, onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "num_outputs", Value: 2})
	y := w.b.Op("Mul", b+"silu", []string{parts[0], w.b.Op("Sigmoid", b+"sigmoid", []string{parts[0]})})
	return w.b.Op("Mul", b+"gated", []string{y, parts[1]})
}
