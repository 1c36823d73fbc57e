package raise_test

import (
	"math"
	"testing"

	"graft/graph"
	"graft/onnx"
)

// alone is an operator with constant operands behind its input.
func alone(opset int64, op string, left graph.Op, operands func(b *onnx.Builder) []string, attrs ...onnx.Attr) example {
	return example{opset, func(b *onnx.Builder, x string) string {
		in := []string{b.Op("Mul", "wide", []string{x, b.Float32s("five", []float32{5})})}
		if operands != nil {
			in = append(in, operands(b)...)
		}
		return b.Op(op, "y", in, attrs...)
	}, map[graph.Op]int{left: 1}}
}

// TestActivations: bounds as attributes, operands and absent, defaults of factors, and powers.
func TestActivations(t *testing.T) {
	number := func(b *onnx.Builder, name string, v float32) string {
		return b.Const(name, onnx.Float32, nil, onnx.Float32s([]float32{v}))
	}
	bounds := func(names ...string) func(b *onnx.Builder) []string {
		return func(b *onnx.Builder) []string {
			for i, name := range names {
				if name != "" {
					names[i] = number(b, name, map[string]float32{"low": -1.5, "high": 6}[name])
				}
			}
			return names
		}
	}
	power := func(e float32) func(b *onnx.Builder) []string {
		return func(b *onnx.Builder) []string { return []string{number(b, "e", e)} }
	}
	absolute := example{13, func(b *onnx.Builder, x string) string {
		return b.Op("Pow", "y", []string{b.Op("Abs", "abs", []string{x}), number(b, "e", 1.3)})
	}, map[graph.Op]int{graph.OpAbs: 1, graph.OpPow: 1}}
	check(t, map[string]example{
		"clip of old":        alone(7, "Clip", graph.OpClip, nil, attr("min", float32(0)), attr("max", float32(6))),
		"clip of old, above": alone(7, "Clip", graph.OpClip, nil, attr("max", float32(6))),
		"clip":               alone(11, "Clip", graph.OpClip, bounds("low", "high")), "clip above": alone(13, "Clip", graph.OpClip, bounds("", "high")),
		"clip below": alone(13, "Clip", graph.OpClip, bounds("low")), "no clip": alone(13, "Clip", graph.OpMul, nil),
		"hard sigmoid": alone(13, "HardSigmoid", graph.OpHardSigmoid, nil), "hard sigmoid, given": alone(11, "HardSigmoid", graph.OpHardSigmoid, nil, attr("alpha", float32(1./6)), attr("beta", float32(0.4))),
		"hard swish": alone(14, "HardSwish", graph.OpHardSwish, nil), "leaky": alone(11, "LeakyRelu", graph.OpLeakyRelu, nil),
		"leaky, given": alone(11, "LeakyRelu", graph.OpLeakyRelu, nil, attr("alpha", float32(0.3))),
		"square":       alone(13, "Pow", graph.OpPow, power(4)), "powers": absolute,
		"max of three": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Max", "y", []string{x, weight(b, "w", 8), b.Op("Min", "least", []string{x, weight(b, "v", 3, 1, 1)})})
		}, map[graph.Op]int{graph.OpMax: 2, graph.OpMin: 1}},
		"silu": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Mul", "y", []string{x, b.Op("Sigmoid", "gate", []string{x})})
		}, map[graph.Op]int{graph.OpSwish: 1, graph.OpSigmoid: 0}},
		"hard swish by its gate": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Mul", "y", []string{x, b.Op("HardSigmoid", "gate", []string{x}, attr("alpha", float32(1./6)))})
		}, map[graph.Op]int{graph.OpHardSwish: 1, graph.OpHardSigmoid: 0, graph.OpMul: 0}},
		"hard swish by bounds": {11, func(b *onnx.Builder, x string) string {
			x = b.Op("Mul", "wide", []string{x, number(b, "five", 5)})
			gate := b.Op("Clip", "gate", []string{b.Op("Add", "more", []string{x, number(b, "three", 3)}), number(b, "low", 0), number(b, "high", 6)})
			return b.Op("Div", "y", []string{b.Op("Mul", "product", []string{x, gate}), number(b, "six", 6)})
		}, map[graph.Op]int{graph.OpHardSwish: 1, graph.OpClip: 0, graph.OpDiv: 0}},
		"another gate": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Mul", "y", []string{x, b.Op("HardSigmoid", "gate", []string{x})})
		}, map[graph.Op]int{graph.OpHardSwish: 0, graph.OpHardSigmoid: 1}},
		"quick gelu": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Mul", "y", []string{b.Op("Sigmoid", "gate", []string{b.Op("Mul", "inner", []string{number(b, "f", 1.702), x})}), x})
		}, map[graph.Op]int{graph.OpSwish: 1, graph.OpSigmoid: 0}},
		"gelu by tanh": {13, func(b *onnx.Builder, x string) string {
			cube := b.Op("Mul", "part", []string{b.Op("Pow", "cube", []string{x, number(b, "three", 3)}), number(b, "c", 0.044715)})
			inner := b.Op("Mul", "inner", []string{b.Op("Add", "sum", []string{x, cube}), number(b, "root", float32(math.Sqrt(2/math.Pi)))})
			gate := b.Op("Add", "gate", []string{b.Op("Tanh", "tanh", []string{inner}), number(b, "one", 1)})
			return b.Op("Mul", "y", []string{b.Op("Mul", "half", []string{x, number(b, "h", 0.5)}), gate})
		}, map[graph.Op]int{graph.OpGeluTanh: 1, graph.OpTanh: 0}},
	})
}
