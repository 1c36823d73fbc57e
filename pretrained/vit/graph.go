package vit

import (
	"fmt"
	"math"

	"graft/onnx"
)

// build adds the whole network. Comments give shapes; T is 1 + the number of
// patches, D the width.
func (w *writer) build() {
	c := w.Config
	batch := onnx.Dim{Name: "N"}
	pixels := w.b.Input("pixels", onnx.Uint8, batch, onnx.Dim{Name: "C"}, onnx.Dim{Name: "H"}, onnx.Dim{Name: "W"})
	k := w.constants()
	x := w.embed(w.prepare(pixels))
	type tap struct{ cls, mean string }
	taps := make([]tap, c.Depth+1) // 0 is after the final norm
	for i := range c.Depth {
		x = w.block(x, i, k)
		taps[i+1] = tap{w.clsToken(x, fmt.Sprintf("cls_%d", i+1), k), w.patchMean(x, fmt.Sprintf("mean_%d", i+1), k)}
	}
	x = w.norm(x, "norm")
	taps[0] = tap{w.clsToken(x, "cls", k), w.patchMean(x, "mean", k)}
	for _, t := range taps {
		w.output(t.cls, c.Width)
		w.output(t.mean, c.Width)
	}
	if c.Classes > 0 {
		logits := w.b.Op("Gemm", "logits", []string{taps[0].cls, w.param("head.weight"), w.param("head.bias")}, onnx.Attr{Name: "transB", Value: 1})
		w.output(logits, c.Classes)
	}
}

func (w *writer) output(name string, width int) {
	w.b.Output(name, name, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: int64(width)})
}

// constants are shared by all blocks.
type constants struct {
	scale, sqrt2, one, half      string // of attention scores; of GELU
	headShape, tokenShape        string // of Reshape
	first, axisT, fromOne, toEnd string // of Gather, Slice and ReduceMean
}

func (w *writer) constants() constants {
	c := w.Config
	dim := c.Width / c.Heads
	return constants{
		scale:      w.b.Float32s("attention_scale", []float32{float32(1 / math.Sqrt(float64(dim)))}),
		sqrt2:      w.b.Float32s("sqrt_2", []float32{math.Sqrt2}),
		one:        w.b.Float32s("one", []float32{1}),
		half:       w.b.Float32s("half", []float32{0.5}),
		headShape:  w.b.Int64s("heads_shape", 0, 0, int64(c.Heads), int64(dim)),
		tokenShape: w.b.Int64s("tokens_shape", 0, 0, int64(c.Width)),
		first:      w.b.Const("first", onnx.Int64, nil, onnx.Int64s([]int64{0})),
		axisT:      w.b.Int64s("token_axis", 1),
		fromOne:    w.b.Int64s("from_one", 1),
		toEnd:      w.b.Int64s("to_end", math.MaxInt64),
	}
}

// prepare turns uint8 [N,C,H,W] into normalised float32 [N,3,S,S]. Constants of
// shape [1,3,1,1] repeat a single channel three times by broadcasting.
func (w *writer) prepare(pixels string) string {
	s := int64(w.Config.Image)
	x := w.b.Op("Cast", "pixels_float", []string{pixels}, onnx.Attr{Name: "to", Value: int64(onnx.Float32)})
	x = w.b.Op("Resize", "resized", []string{x, "", "", w.b.Int64s("image_size", s, s)},
		onnx.Attr{Name: "antialias", Value: 0}, onnx.Attr{Name: "axes", Value: []int64{2, 3}},
		onnx.Attr{Name: "coordinate_transformation_mode", Value: "half_pixel"}, onnx.Attr{Name: "mode", Value: "linear"})
	scale, shift := make([]float32, 3), make([]float32, 3)
	for i := range 3 {
		mean, std := float64(w.Preprocess.Mean[i]), float64(w.Preprocess.Std[i])
		scale[i], shift[i] = float32(1/(255*std)), float32(-mean/std)
	}
	x = w.b.Op("Mul", "scaled", []string{x, w.b.Float32s("pixel_scale", scale, 1, 3, 1, 1)})
	return w.b.Op("Add", "normalized", []string{x, w.b.Float32s("pixel_shift", shift, 1, 3, 1, 1)})
}

// embed turns [N,3,S,S] into tokens [N,T,D]. The class token's row is made by
// padding with zeros and comes, with the positions, out of one table.
func (w *writer) embed(x string) string {
	c := w.Config
	p, d := int64(c.Patch), int64(c.Width)
	x = w.b.Op("Conv", "patches", []string{x, w.param("patch.weight"), w.param("patch.bias")},
		onnx.Attr{Name: "kernel_shape", Value: []int64{p, p}}, onnx.Attr{Name: "strides", Value: []int64{p, p}})
	x = w.b.Op("Reshape", "patches_flat", []string{x, w.b.Int64s("patches_shape", 0, d, -1)})
	x = w.b.Op("Transpose", "patch_tokens", []string{x}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}})
	x = w.b.Op("Pad", "tokens", []string{x, w.b.Int64s("class_token_row", 0, 1, 0, 0, 0, 0)})
	table := w.lazy("positions", []int{1, c.Tokens(), c.Width}, func() ([]float32, error) {
		pos, err := w.tensor("pos")
		if err != nil {
			return nil, err
		}
		cls, err := w.tensor("cls")
		for i, v := range cls {
			pos[i] += v
		}
		return pos, err
	})
	return w.b.Op("Add", "embeddings", []string{x, table})
}

// block is x + attention(norm1(x)), then x + perceptron(norm2(x)): [N,T,D] to
// the same.
func (w *writer) block(x string, i int, k constants) string {
	b := fmt.Sprintf("blocks.%d.", i)
	y := w.attention(w.norm(x, b+"norm1"), b, k)
	x = w.b.Op("Add", b+"attention_residual", []string{x, y})
	y = w.dense(w.norm(x, b+"norm2"), b+"fc1")
	y = w.dense(w.gelu(y, b, k), b+"fc2")
	return w.b.Op("Add", b+"residual", []string{x, y})
}

func (w *writer) norm(x, name string) string {
	return w.b.Op("LayerNormalization", name, []string{x, w.param(name + ".weight"), w.param(name + ".bias")},
		onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "epsilon", Value: w.Config.Eps})
}

// dense is a linear layer on the last axis.
func (w *writer) dense(x, name string) string {
	x = w.b.Op("MatMul", name+".product", []string{x, w.linear(name + ".weight")})
	return w.b.Op("Add", name, []string{x, w.param(name + ".bias")})
}

// gelu is x·Φ(x) with the error function, in the order of operations that ONNX
// Runtime fuses into one.
func (w *writer) gelu(x, b string, k constants) string {
	y := w.b.Op("Div", b+"gelu_div", []string{x, k.sqrt2})
	y = w.b.Op("Erf", b+"gelu_erf", []string{y})
	y = w.b.Op("Add", b+"gelu_add", []string{y, k.one})
	y = w.b.Op("Mul", b+"gelu_mul", []string{x, y})
	return w.b.Op("Mul", b+"gelu", []string{y, k.half})
}

// attention is multi-head self-attention over [N,T,D].
func (w *writer) attention(x, b string, k constants) string {
	qkv := w.b.OpN("Split", 3, b+"split", []string{w.dense(x, b+"qkv")}, onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "num_outputs", Value: 3})
	q := w.heads(qkv[0], b+"q", k, 0, 2, 1, 3) // [N,heads,T,D/heads]
	kT := w.heads(qkv[1], b+"k", k, 0, 2, 3, 1)
	v := w.heads(qkv[2], b+"v", k, 0, 2, 1, 3)
	q = w.b.Op("Mul", b+"q_scaled", []string{q, k.scale})
	s := w.b.Op("MatMul", b+"scores", []string{q, kT}) // [N,heads,T,T]
	s = w.b.Op("Softmax", b+"attention", []string{s}, onnx.Attr{Name: "axis", Value: -1})
	y := w.b.Op("MatMul", b+"mixed", []string{s, v})
	y = w.b.Op("Transpose", b+"mixed_tokens", []string{y}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1, 3}})
	y = w.b.Op("Reshape", b+"mixed_flat", []string{y, k.tokenShape})
	return w.dense(y, b+"proj")
}

// heads splits the last axis of [N,T,D] into heads and permutes.
func (w *writer) heads(x, name string, k constants, perm ...int64) string {
	x = w.b.Op("Reshape", name+"_heads", []string{x, k.headShape})
	return w.b.Op("Transpose", name, []string{x}, onnx.Attr{Name: "perm", Value: perm})
}

// clsToken is the class token of [N,T,D]: [N,D].
func (w *writer) clsToken(x, name string, k constants) string {
	return w.b.Op("Gather", name, []string{x, k.first}, onnx.Attr{Name: "axis", Value: 1})
}

// patchMean is the mean over the patch tokens of [N,T,D]: [N,D].
func (w *writer) patchMean(x, name string, k constants) string {
	x = w.b.Op("Slice", name+"_patches", []string{x, k.fromOne, k.toEnd, k.axisT})
	return w.b.Op("ReduceMean", name, []string{x, k.axisT}, onnx.Attr{Name: "keepdims", Value: 0})
}
