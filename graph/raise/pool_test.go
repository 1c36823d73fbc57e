package raise_test

import (
	"testing"

	"graft/graph"
	"graft/onnx"
)

// one builds a model of one operator and its attributes, which is what is left of it. (Its result is flattened, as ONNX's
// inference of shapes counts windows that begin in the padding, though operators leave them out.)
func one(opset int64, op string, attrs ...onnx.Attr) example {
	return example{opset, func(b *onnx.Builder, x string) string {
		return b.Op("Reshape", "y", []string{b.Op(op, "values", []string{x}, attrs...), b.Int64s("all", -1)})
	}, map[graph.Op]int{graph.Op(op): 1}}
}

func ints(name string, v ...int64) onnx.Attr { return attr(name, v) }

// TestWindows: groups, dilation and padding that differs from side to side; pools whose last windows reach over the border,
// and what they are divided by.
func TestWindows(t *testing.T) {
	convolution := func(weights []int64, attrs ...onnx.Attr) example {
		return example{11, func(b *onnx.Builder, x string) string {
			return b.Op("Conv", "y", []string{x, weight(b, "w", weights...), weight(b, "b", weights[0])}, attrs...)
		}, map[graph.Op]int{graph.OpConv: 1}}
	}
	kernel, ceil, counted := ints("kernel_shape", 3, 2), attr("ceil_mode", int64(1)), attr("count_include_pad", int64(1))
	check(t, map[string]example{
		"depthwise":          convolution([]int64{6, 1, 3, 3}, attr("group", int64(3)), ints("pads", 0, 1, 1, 2), ints("strides", 2, 2)),
		"dilated":            convolution([]int64{4, 3, 3, 2}, ints("dilations", 2, 3), ints("pads", 2, 0, 1, 3)),
		"same, before":       convolution([]int64{4, 3, 4, 2}, attr("auto_pad", "SAME_LOWER"), ints("strides", 3, 2)),
		"max":                one(12, "MaxPool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 2, 1)),
		"max, ceil":          one(12, "MaxPool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 0, 1), ceil),
		"max, no ceil":       one(12, "MaxPool", ints("kernel_shape", 2, 2), ints("strides", 3, 3), ints("pads", 0, 0, 1, 1), ceil),
		"max, dilated":       one(12, "MaxPool", kernel, ints("strides", 2, 1), ints("dilations", 2, 3)),
		"average":            one(11, "AveragePool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 2, 1)),
		"average, all":       one(11, "AveragePool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 2, 1), counted),
		"average, ceil":      one(19, "AveragePool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 1, 1), ceil),
		"average, ceil, all": one(19, "AveragePool", kernel, ints("strides", 2, 3), ints("pads", 1, 0, 1, 1), ceil, counted),
		"average, dilated":   one(19, "AveragePool", kernel, ints("strides", 2, 1), ints("dilations", 2, 3), ints("pads", 1, 1, 1, 1)),
		"average, same":      one(11, "AveragePool", kernel, ints("strides", 2, 1), attr("auto_pad", "SAME_UPPER")),
		"global":             {11, func(b *onnx.Builder, x string) string { return b.Op("GlobalMaxPool", "y", []string{x}) }, nil},
	})
}
