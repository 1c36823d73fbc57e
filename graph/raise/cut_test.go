package raise_test

import (
	"fmt"
	"math"
	"testing"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
)

// TestCuts: steps of both signs, and what is put around.
func TestCuts(t *testing.T) {
	slice := func(starts, ends, axes, steps []int64) example {
		return example{13, func(b *onnx.Builder, x string) string {
			return b.Op("Slice", "y", []string{x, b.Int64s("starts", starts...), b.Int64s("ends", ends...), b.Int64s("axes", axes...), b.Int64s("steps", steps...)})
		}, nil}
	}
	padding := func(opset int64, mode string, value float32, pads []int64, axes ...int64) example {
		return example{opset, func(b *onnx.Builder, x string) string {
			in := []string{x, b.Int64s("pads", pads...)}
			if value != 0 || axes != nil {
				in = append(in, b.Const("value", onnx.Float32, nil, onnx.Float32s([]float32{value})))
			}
			if axes != nil {
				in = append(in, b.Int64s("axes", axes...))
			}
			return b.Op("Pad", "y", in, attr("mode", mode))
		}, nil}
	}
	check(t, map[string]example{
		"every second": slice([]int64{0, 1}, []int64{math.MaxInt64, math.MaxInt64}, []int64{2, 3}, []int64{2, 2}),
		"every third":  slice([]int64{1, -7}, []int64{8, 7}, []int64{2, 3}, []int64{3, 3}),
		"backwards":    slice([]int64{-1, 6}, []int64{math.MinInt64, 1}, []int64{2, 3}, []int64{-1, -2}),
		"slice of old": {9, func(b *onnx.Builder, x string) string {
			return b.Op("Slice", "y", []string{x}, ints("starts", 1, -3), ints("ends", 3, 1000), ints("axes", 1, 3))
		}, nil},
		"zeros":    padding(13, "constant", 0, []int64{0, 1, 2, 0, 0, 0, 1, 3}),
		"sevens":   padding(13, "constant", 7, []int64{0, 1, 2, 0, 0, 0, 1, 3}),
		"least":    padding(13, "constant", -math.MaxFloat32, []int64{0, 0, 2, 0, 0, 0, 1, 3}),
		"cut off":  padding(13, "constant", 7, []int64{0, 0, -2, 1, 0, 0, 1, -3}),
		"by axis":  padding(18, "constant", 7, []int64{1, 2, 3, 0}, 3, -2),
		"mirrored": padding(13, "reflect", 0, []int64{0, 0, 2, 0, 0, 0, 1, 3}),
		"edge":     padding(13, "edge", 0, []int64{0, 0, 2, 0, 0, 0, 1, 3}),
		"wrapped":  padding(19, "wrap", 0, []int64{0, 0, 2, 0, 0, 0, 1, 3}),
		"padding of old": {9, func(b *onnx.Builder, x string) string {
			return b.Op("Pad", "y", []string{x}, ints("pads", 0, 0, 1, 2, 0, 0, 0, 3), attr("value", float32(-2)))
		}, nil},
	})
}

// A file that was exported for one image has shapes that begin with a one; behind a cut, of a value of several examples,
// they begin with their number. A shape that fits as it is stays.
func TestFixedBatch(t *testing.T) {
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Value: 1}, onnx.Dim{Value: 6}, onnx.Dim{Value: 4})
	heads := b.Op("Reshape", "heads", []string{x, b.Int64s("by_heads", 1, 6, 2, 2)})
	rest := b.Op("Reshape", "rest", []string{heads, b.Int64s("whatever", 1, -1, 4)})
	row := b.Op("Reshape", "row", []string{b.Float32s("table", make([]float32, 24), 6, 4), b.Int64s("one", 1, 6, 4)})
	b.Output("y", b.Op("Add", "y", []string{rest, row}), onnx.Float32)
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Given: map[string]*graph.Node{"x": g.Input("x", 6, 6, 4)}, Exported: 1, Batch: 6})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(part.Values["heads"].Shape(), part.Outputs[0].Shape()); got != "[6 6 2 2] [6 6 4]" {
		t.Errorf("shapes %s", got)
	}
}
