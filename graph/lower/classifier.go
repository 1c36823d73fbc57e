package lower

import (
	"errors"
	"fmt"
	"math"

	"graft/finetune/nets"
	"graft/graph"
	"graft/onnx"
	"graft/preprocess"
)

// Names of a classifier's input and outputs.
const (
	InPixels         = "pixels"   // uint8 [N,C,H,W]
	InFeatures       = "features" // float32 [N,D]
	OutLogits        = "logits"   // float32 [N,K]
	OutProbabilities = "probabilities"
)

// How pixels come to a network's size.
const (
	FitResize = "resize" // antialiased, as preprocess.ResizeAntialias
	FitCrop   = "crop"   // cut out of the middle
)

// Pixels says how images become a network's input: uint8 [N,C,H,W] divided by 255 and brought to [N,C,side,side].
type Pixels struct {
	Height, Width int
	Fit           string // FitResize or FitCrop; either leaves images of the right size alone
	Mirror        bool   // the logits are the mean over the image and its mirror image
}

// Classifier makes an ONNX model of a network with its weights: from `pixels` (uint8 [N,C,H,W]) for networks on images,
// or `features` (float32 [N,D]) for a head, to `logits` and `probabilities` (float32 [N,K]). Pixels' options are not used
// for a head.
func Classifier(net nets.Net, weights map[string][]float32, p Pixels) (*onnx.Model, error) {
	m := &onnx.Model{Name: net.Kind(), Opset: Opset, Producer: "graft", Metadata: map[string]string{}}
	b := onnx.NewBuilder(m)
	x, err := input(b, net, p)
	if err != nil {
		return nil, err
	}
	mirrored := p.Mirror && len(net.InputShape()) == 3
	if mirrored {
		x = joinMirrored(b, x)
	}
	logits, err := Net(b, net, weights, x)
	if err != nil {
		return nil, err
	}
	if mirrored {
		logits = b.Op("Reshape", "logits_by_side", []string{logits, b.Int64s("by_side", 2, -1, int64(net.Classes()))})
		logits = b.Op("ReduceMean", OutLogits, []string{logits, b.Int64s("sides", 0)}, onnx.Attr{Name: "keepdims", Value: int64(0)})
	}
	dims := []onnx.Dim{{Name: "N"}, {Value: int64(net.Classes())}}
	probabilities := b.Op("Softmax", OutProbabilities, []string{logits}, onnx.Attr{Name: "axis", Value: int64(-1)})
	b.Output(OutLogits, logits, onnx.Float32, dims...)
	b.Output(OutProbabilities, probabilities, onnx.Float32, dims...)
	return m, m.Validate()
}

// Net adds a network with its weights to b's model and returns the name of its logits [N,K]; x names the value with its
// input, float32 [N,…].
func Net(b *onnx.Builder, net nets.Net, weights map[string][]float32, x string) (string, error) {
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
	names, err := Nodes(b, []*graph.Node{logits}, Options{Inputs: map[string]string{"x": x}})
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// input declares the model's input and brings it to the network's.
func input(b *onnx.Builder, net nets.Net, p Pixels) (string, error) {
	shape := net.InputShape()
	batch := onnx.Dim{Name: "N"}
	if len(shape) == 1 {
		return b.Input(InFeatures, onnx.Float32, batch, onnx.Dim{Value: int64(shape[0])}), nil
	}
	pixels := b.Input(InPixels, onnx.Uint8, batch, onnx.Dim{Value: int64(shape[0])}, onnx.Dim{Value: int64(p.Height)}, onnx.Dim{Value: int64(p.Width)})
	return Prepare(b, pixels, p, shape[1])
}

// maxPixels bounds the side of the images that a model is written for.
const maxPixels = 1 << 12

// Prepare adds what brings uint8 pixels [N,C,H,W] to float32 [N,C,side,side] in 0…1. Resizing is two matrix products with
// the filter's own weights, so that it is exactly the one of training.
func Prepare(b *onnx.Builder, pixels string, p Pixels, side int) (string, error) {
	if p.Height < 1 || p.Width < 1 || p.Height > maxPixels || p.Width > maxPixels {
		return "", fmt.Errorf("images of %d×%d pixels, want 1 to %d a side", p.Height, p.Width, maxPixels)
	}
	x := b.Op("Cast", "pixels_float", []string{pixels}, onnx.Attr{Name: "to", Value: int64(onnx.Float32)})
	x = b.Op("Div", "pixels_unit", []string{x, b.Float32s("pixel_max", []float32{255})})
	if p.Height == side && p.Width == side {
		return x, nil
	}
	switch p.Fit {
	case FitResize:
		return resize(b, x, p, side), nil
	case FitCrop:
		return crop(b, x, p, side)
	}
	return "", fmt.Errorf("fit %q, want %s or %s", p.Fit, FitResize, FitCrop)
}

// resize is rows·x·columns: [side,H]·[N,C,H,W]·[W,side].
func resize(b *onnx.Builder, x string, p Pixels, side int) string {
	h, w, s := int64(p.Height), int64(p.Width), int64(side)
	x = b.Op("MatMul", "resized_columns", []string{x, b.Float32s("resize_columns", columns(p.Width, side), w, s)})
	return b.Op("MatMul", "resized", []string{b.Float32s("resize_rows", rows(p.Height, side), s, h), x})
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

// crop takes the middle; of an odd remainder the smaller half lies before it.
func crop(b *onnx.Builder, x string, p Pixels, side int) (string, error) {
	if p.Height < side || p.Width < side {
		return "", errors.New("images smaller than the network's input cannot be cropped to it, want fit resize")
	}
	top, left, s := int64((p.Height-side)/2), int64((p.Width-side)/2), int64(side)
	return b.Op("Slice", "cropped", []string{x, b.Int64s("crop_start", top, left), b.Int64s("crop_end", top+s, left+s), b.Int64s("crop_axes", 2, 3)}), nil
}

// joinMirrored doubles the batch: x followed by the same mirrored left to right.
func joinMirrored(b *onnx.Builder, x string) string {
	mirrored := b.Op("Slice", "mirrored", []string{x, b.Int64s("mirror_start", -1), b.Int64s("mirror_end", math.MinInt64),
		b.Int64s("mirror_axis", 3), b.Int64s("mirror_step", -1)})
	return b.Op("Concat", "both_sides", []string{x, mirrored}, onnx.Attr{Name: "axis", Value: int64(0)})
}
