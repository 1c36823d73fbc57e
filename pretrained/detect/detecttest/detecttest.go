// Package detecttest makes a detector of white squares, with the inputs and outputs of the detector of faces, for tests.
package detecttest

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
	"graft/preprocess"
)

// Cell is the side of what the detector looks at, pixels.
const Cell = 32

// Write writes the detector (18 kB) into dir and returns its path. A face is every white square of Cell×Cell pixels whose
// edges lie at multiples of Cell: its box is the square, its five landmarks are its middle, its score is 0.9999. As in the
// real file, all shapes are those of 640×640 pixels.
func Write(t testing.TB, dir string) string {
	t.Helper()
	m := &onnx.Model{Name: "white squares", Opset: 13}
	b := onnx.NewBuilder(m)
	x := b.Input("input", onnx.Float32, onnx.Dim{Value: 1}, onnx.Dim{Value: 3}, onnx.Dim{Value: 640}, onnx.Dim{Value: 640})
	for _, part := range []struct {
		name       string
		size       int
		gain, bias float32 // of the cell's mean brightness, 0 to 1
		never      float32 // the bias of the finer strides
	}{{"cls", 1, 200, -190, -1000}, {"obj", 1, 200, -190, -1000}, {"bbox", 4, 0, 0, 0}, {"kps", 10, 0, 0.5, 0}} {
		for _, stride := range []int{8, 16, Cell} {
			bias := part.never
			if stride == Cell {
				bias = part.bias
			}
			addPart(b, x, part.name, part.size, stride, part.gain, bias)
		}
	}
	path := filepath.Join(dir, "squares.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// addPart adds an output whose numbers are gain times the mean brightness of a cell, plus bias; of a box's first two, which
// are its middle, ½.
func addPart(b *onnx.Builder, x, part string, size, stride int, gain, bias float32) {
	name := fmt.Sprintf("%s_%d", part, stride)
	k := []int64{int64(stride), int64(stride)}
	bright := b.Op("AveragePool", name+"_mean", []string{x}, onnx.Attr{Name: "kernel_shape", Value: k}, onnx.Attr{Name: "strides", Value: k})
	weight, offset := slices.Repeat([]float32{gain / (3 * 255)}, 3*size), slices.Repeat([]float32{bias}, size)
	if part == "bbox" {
		offset[0], offset[1] = 0.5, 0.5
	}
	y := b.Op("Conv", name+"_conv", []string{bright, b.Float32s(name+"_weight", weight, int64(size), 3, 1, 1), b.Float32s(name+"_bias", offset, int64(size))})
	y = b.Op("Transpose", name+"_places", []string{y}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 3, 1}})
	rows := []string{y, b.Int64s(name+"_shape", 1, -1, int64(size))}
	if part == "cls" || part == "obj" {
		b.Op("Sigmoid", name, []string{b.Op("Reshape", name+"_rows", rows)})
	} else {
		b.Op("Reshape", name, rows)
	}
	n := 640 / stride
	b.Output(name, name, onnx.Float32, onnx.Dim{Value: 1}, onnx.Dim{Value: int64(n * n)}, onnx.Dim{Value: int64(size)})
}

// Photograph is black, RGB, of h×w pixels, with white squares whose places are counted in cells: across, down.
func Photograph(h, w int, cells ...[2]int) preprocess.Image {
	im := preprocess.New(3, h, w)
	for _, c := range cells {
		for plane := range 3 {
			for y := range Cell {
				row := im.Pix[(plane*h+c[1]*Cell+y)*w+c[0]*Cell:][:Cell]
				for i := range row {
					row[i] = 255
				}
			}
		}
	}
	return im
}
