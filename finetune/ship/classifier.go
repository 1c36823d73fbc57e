package ship

import (
	"errors"
	"fmt"

	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/graph"
	"graft/graph/lower"
	"graft/onnx"
	"graft/preprocess"
)

// classifier makes an ONNX model of a network on images with its weights: from `pixels`, uint8 [N,C,H,W] or, whole, [N,H,W,C],
// divided by 255 and brought to the network's size, to `logits` and `probabilities`, float32 [N,K].
func classifier(net nets.Net, weights map[string][]float32, p run.PixelsRecord, temperature float64, whole bool) (*onnx.Model, error) {
	m := &onnx.Model{Name: net.Kind(), Opset: lower.Opset, Producer: "graft", Metadata: map[string]string{}}
	b := onnx.NewBuilder(m)
	shape := net.InputShape()
	x, err := prepare(b, b.Input("pixels", onnx.Uint8, pixelDims(onnx.Dim{Name: "N"}, whole)...), p, shape[0], shape[1], whole)
	if err != nil {
		return nil, err
	}
	if p.Mirror {
		x = b.Mirrored(x)
	}
	logits, err := addNet(b, net, weights, x)
	if err != nil {
		return nil, err
	}
	if p.Mirror {
		logits = meanOfSides(b, logits, net.Classes())
	}
	addOutputs(b, logits, onnx.Dim{Name: "N"}, net.Classes(), temperature)
	return m, fourChannels(b)
}

// meanOfSides averages the logits of the images, the first half of them, and of their mirror images.
func meanOfSides(b *onnx.Builder, logits string, classes int) string {
	logits = b.Op("Reshape", "logits_by_side", []string{logits, b.Int64s("by_side", 2, -1, int64(classes))})
	return reduceMean(b, model.OutLogits, logits, []int64{0})
}

// addOutputs declares the logits, and the softmax of them divided by a temperature, as the model's outputs, [n,classes].
func addOutputs(b *onnx.Builder, logits string, n onnx.Dim, classes int, temperature float64) {
	dims := []onnx.Dim{n, {Value: int64(classes)}}
	cooled := logits
	if temperature != 1 {
		cooled = b.Op("Div", "cooled_logits", []string{logits, b.Float32s("temperature", []float32{float32(temperature)})})
	}
	probabilities := b.Op("Softmax", model.OutProbabilities, []string{cooled}, onnx.Attr{Name: "axis", Value: int64(1)})
	b.Output(model.OutLogits, logits, onnx.Float32, dims...)
	b.Output(model.OutProbabilities, probabilities, onnx.Float32, dims...)
}

// addNet adds a network with its weights to b's model and returns the name of its logits [N,K]; x names the value with its
// input, float32 [N,…].
func addNet(b *onnx.Builder, net nets.Net, weights map[string][]float32, x string) (string, error) {
	g := graph.New()
	in := g.Input("x", append([]int{1}, net.InputShape()...)...)
	w, err := nets.Declare(g, net, weights)
	if err != nil {
		return "", err
	}
	logits := net.Forward(g, in, w, nets.Mode{})
	if err := g.Err(); err != nil {
		return "", err
	}
	names, err := lower.Nodes(b, []*graph.Node{logits}, lower.Options{Inputs: map[string]string{"x": x}})
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// maxPixels bounds the side of the images that a model is written for.
const maxPixels = 1 << 12

// prepare adds what brings uint8 pixels of any size, gray or RGB, to the size that training took, p.Side, and from there to
// float32 [N,channels,side,side] in 0…1. The latter resizing is two matrix products with the filter's own weights, so that it is
// exactly the one of training.
func prepare(b *onnx.Builder, pixels string, p run.PixelsRecord, channels, side int, whole bool) (string, error) {
	switch {
	case p.Side < 1 || p.Side > maxPixels:
		return "", fmt.Errorf("images of %d pixels a side, want 1 to %d", p.Side, maxPixels)
	case p.Side < side && p.Fit != run.FitResize:
		return "", errors.New("images smaller than the network's input cannot be cropped to it, want fit resize")
	}
	q, in := pictures{b}, p.Side
	x := b.Floats(pixels)
	if whole {
		x = q.squared(q.planes(x), preprocess.Spec{Host: true, Size: in, Crop: 1})
	} else {
		x = b.Stretched(x, in, in)
	}
	x = b.Op("Div", "pixels_unit", []string{q.channels(x, channels), b.Float32s("pixel_max", []float32{255})})
	from, to := int64(in), int64(side)
	switch {
	case in == side:
		return x, nil
	case p.Fit == run.FitResize:
		x = b.Op("MatMul", "resized_columns", []string{x, b.Float32s("resize_columns", columns(in, side), from, to)})
		return b.Op("MatMul", "resized", []string{b.Float32s("resize_rows", rows(in, side), to, from), x}), nil
	}
	// Of an odd remainder the smaller half lies before the middle.
	start := int64((in - side) / 2)
	return b.Op("Slice", "cropped", []string{x, b.Int64s("crop_start", start, start), b.Int64s("crop_end", start+to, start+to), b.Int64s("crop_axes", 2, 3)}), nil
}

// columns is the antialiasing filter as a matrix [n,side]: what it makes of the n unit impulses.
func columns(n, side int) []float32 {
	m := make([]float32, n*side)
	preprocess.ResizeAntialias(m, identity(n), 1, n, n, n, side)
	return m
}

// rows is the transposed matrix, [side,n].
func rows(n, side int) []float32 {
	m := make([]float32, side*n)
	preprocess.ResizeAntialias(m, identity(n), 1, n, n, side, n)
	return m
}

func identity(n int) []float32 {
	m := make([]float32, n*n)
	for i := range n {
		m[i*n+i] = 1
	}
	return m
}
