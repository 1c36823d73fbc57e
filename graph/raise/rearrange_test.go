package raise_test

import (
	"testing"

	"graft/graph"
	"graft/onnx"
)

// TestRearranged: blocks of pixels to channels and back, repetitions, and norms of groups of channels.
func TestRearranged(t *testing.T) {
	deep := func(b *onnx.Builder, x string) string {
		return b.Op("SpaceToDepth", "deep", []string{x}, attr("blocksize", int64(2)))
	}
	check(t, map[string]example{
		"space to depth": {13, deep, nil},
		"depth to space": {13, func(b *onnx.Builder, x string) string {
			return b.Op("DepthToSpace", "y", []string{deep(b, x)}, attr("blocksize", int64(2)))
		}, nil},
		"depth to space, by columns": {13, func(b *onnx.Builder, x string) string {
			return b.Op("DepthToSpace", "y", []string{deep(b, x)}, attr("blocksize", int64(2)), attr("mode", "CRD"))
		}, nil},
		"tiles": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Tile", "y", []string{x, b.Int64s("times", 1, 2, 1, 3)})
		}, nil},
		"instances": {11, func(b *onnx.Builder, x string) string {
			return b.Op("InstanceNormalization", "y", []string{x, weight(b, "scale", 3), weight(b, "shift", 3)}, attr("epsilon", float32(1e-3)))
		}, map[graph.Op]int{graph.OpLayerNormalization: 1}},
		"groups": {21, func(b *onnx.Builder, x string) string {
			return b.Op("GroupNormalization", "y", []string{deep(b, x), weight(b, "scale", 12), weight(b, "shift", 12)}, attr("num_groups", int64(4)))
		}, map[graph.Op]int{graph.OpLayerNormalization: 1}},
		"length": {13, func(b *onnx.Builder, x string) string {
			return b.Op("Div", "y", []string{x, b.Op("ReduceL2", "length", []string{x}, ints("axes", 1))})
		}, nil},
		"slopes": {13, func(b *onnx.Builder, x string) string {
			return b.Op("PRelu", "y", []string{x, weight(b, "slope", 3, 1, 1)})
		}, nil},
	})
}
