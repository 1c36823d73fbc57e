package raise_test

import (
	"fmt"
	"strings"
	"testing"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/ort/orttest"
)

// TestResize wants ONNX Runtime's pixels, up and down, by sizes and by scales.
func TestResize(t *testing.T) {
	orttest.Require(t)
	cases := map[string][]onnx.Attr{}
	for _, coordinates := range []string{"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"} {
		cases["linear "+coordinates] = []onnx.Attr{attr("mode", "linear"), attr("coordinate_transformation_mode", coordinates)}
		for _, nearest := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
			cases[coordinates+" "+nearest] = []onnx.Attr{attr("mode", "nearest"), attr("coordinate_transformation_mode", coordinates), attr("nearest_mode", nearest)}
		}
	}
	cases["antialias"] = []onnx.Attr{attr("mode", "linear"), attr("antialias", int64(1))}
	cases["antialias within"] = append([]onnx.Attr{attr("exclude_outside", int64(1))}, cases["antialias"]...)
	for name, attrs := range cases {
		antialias := strings.HasPrefix(name, "antialias")
		for _, size := range [][]int64{{19, 5}, {5, 8}, {1, 3}, {16, 24}} {
			if antialias && size[0] > 8 {
				continue // one axis up and another one down
			}
			compareResize(t, fmt.Sprint(name, " to ", size), 19, func(b *onnx.Builder, x string) string {
				return b.Op("Resize", "y", []string{x, "", "", b.Int64s("sizes", size...)}, append(attrs, attr("axes", []int64{2, 3}))...)
			})
		}
		if !antialias {
			compareResize(t, name+" by scales", 13, func(b *onnx.Builder, x string) string {
				return b.Op("Resize", "y", []string{x, "", b.Float32s("scales", []float32{1, 1, 1.7, 0.6})}, attrs...)
			})
		}
	}
	for op, opset := range map[string]int64{"Upsample": 9, "Resize": 10} {
		for _, mode := range []string{"nearest", "linear"} {
			compareResize(t, op+" "+mode, opset, func(b *onnx.Builder, x string) string {
				return b.Op(op, "y", []string{x, b.Float32s("scales", []float32{1, 1, 2, 2})}, attr("mode", mode))
			})
		}
	}
}

func compareResize(t *testing.T, name string, opset int64, build func(b *onnx.Builder, x string) string) {
	t.Helper()
	m := model(opset, build)
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": images}})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	x := random(graph.Shape(images).Size())
	got := run(t, g, part, map[string][]float32{"x": x})[0]
	want := runtime(t, m, x, []int64{2, 3, 8, 8}, part.Outputs[0].Shape())
	if d := distance(got, want); !(d <= 1e-6) {
		t.Errorf("%s: %.2g away from ONNX Runtime's", name, d)
	}
}
