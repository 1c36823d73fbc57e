package vit

import (
	"fmt"
	"math"

	"graft/onnx"
)

// build adds the whole network. Comments give shapes; T is the number of
// tokens, D the width.
func (w *writer) build() {
	c := w.Config
	batch := onnx.Dim{Name: "N"}
	pixels := w.b.Input("pixels", onnx.Uint8, batch, onnx.Dim{Name: "C"}, onnx.Dim{Name: "H"}, onnx.Dim{Name: "W"})
	k := w.constants()
	x := w.embed(w.prepare(pixels))
	for i := range c.Depth {
		x = w.block(x, i, k)
		w.taps(x, fmt.Sprintf("_%d", i+1), k)
	}
	if !c.NoNorm {
		x = w.norm(x, "norm")
	}
	w.taps(x, "", k)
	w.summaries(x, k)
	for _, tap := range c.taps() {
		w.output(tap, c.tapWidth(tap))
	}
	if c.Classes > 0 {
		w.output(w.classify(k), c.Classes)
	}
}

// taps adds the class token and the mean over the patches of [N,T,D], named
// with a suffix.
func (w *writer) taps(x, suffix string, k constants) {
	if !w.Config.NoClass {
		w.token(x, "cls"+suffix, k.first)
	}
	if suffix == "" && w.Config.MeanNorm {
		w.normAs("mean", w.patchMean(x, "mean_plain", k), "fc_norm")
		return
	}
	w.patchMean(x, "mean"+suffix, k)
}

// summaries adds the other taps that x, [N,T,D] after the final norm, has.
func (w *writer) summaries(x string, k constants) {
	if w.Config.AttnPool {
		w.attentionPool(x, k)
	}
	if w.Config.Distilled {
		w.token(x, "dist", k.second)
	}
	if w.Config.Projection > 0 {
		w.b.Op("MatMul", "proj", []string{"cls", w.linear("proj.weight", "")})
	}
}

// classify adds the logits. Those of a distilled network are the mean of its
// two classifiers' (Touvron et al. 2021, section 4).
func (w *writer) classify(k constants) string {
	head := func(name, x, layer string) string {
		return w.b.Op("Gemm", name, []string{x, w.param(layer + ".weight"), w.param(layer + ".bias")}, onnx.Attr{Name: "transB", Value: 1})
	}
	c := w.Config
	switch {
	case c.AttnPool:
		return head("logits", "pool", "head")
	case c.HeadOnMean:
		return head("logits", "mean", "head")
	case c.ClassifyMean:
		return head("logits", w.b.Op("Concat", "cls_and_mean", []string{"cls", "mean"}, onnx.Attr{Name: "axis", Value: -1}), "head")
	case c.Distilled && !c.OneHead:
		sum := w.b.Op("Add", "logits_sum", []string{head("logits_cls", "cls", "head"), head("logits_dist", "dist", "head_dist")})
		return w.b.Op("Mul", "logits", []string{sum, k.half})
	}
	return head("logits", "cls", "head")
}

func (w *writer) output(name string, width int) {
	w.b.Output(name, name, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: int64(width)})
}

// constants are shared by all blocks; those that the network does not need are
// left out.
type constants struct {
	scale, sqrt2, one, half, slope string // of attention scores; of activations
	cubic, tanh                    string // of GELU by tanh
	headShape, tokenShape          string // of Reshape
	first, second                  string // of Gather
	axisT, patches, toEnd          string // of Slice and ReduceMean
}

func (w *writer) constants() constants {
	c := w.Config
	dim := c.Width / c.Heads
	k := constants{
		scale:      w.b.Float32s("attention_scale", []float32{float32(1 / math.Sqrt(float64(dim)))}),
		headShape:  w.b.Int64s("heads_shape", 0, 0, int64(c.Heads), int64(dim)),
		tokenShape: w.b.Int64s("tokens_shape", 0, 0, int64(c.Width)),
		axisT:      w.b.Int64s("token_axis", 1),
	}
	w.activationConstants(&k)
	if c.prefix() > 0 {
		k.patches = w.b.Int64s("first_patch", int64(c.prefix()))
		k.toEnd = w.b.Int64s("to_end", math.MaxInt64)
	}
	if !c.NoClass || c.AttnPool {
		k.first = w.b.Const("first", onnx.Int64, nil, onnx.Int64s([]int64{0}))
	}
	if c.Distilled {
		k.second = w.b.Const("second", onnx.Int64, nil, onnx.Int64s([]int64{1}))
	}
	return k
}

// prepare turns uint8 [N,C,H,W] into normalised float32 of the network's size and channels.
func (w *writer) prepare(pixels string) string {
	x := w.b.Stretched(w.b.Floats(pixels), w.Config.Image, w.Config.across())
	x = w.b.RGB(x)
	scale, shift := make([]float32, 3), make([]float32, 3)
	for i := range 3 {
		mean, std := float64(w.Preprocess.Mean[i]), float64(w.Preprocess.Std[i])
		scale[i], shift[i] = float32(1/(255*std)), float32(-mean/std)
	}
	if w.Config.Gray {
		return w.luma(x, scale, shift)
	}
	x = w.b.Op("Mul", "scaled", []string{x, w.b.Float32s("pixel_scale", scale, 1, 3, 1, 1)})
	return w.b.Op("Add", "normalized", []string{x, w.b.Float32s("pixel_shift", shift, 1, 3, 1, 1)})
}

// luma makes one normalised channel [N,1,H,W] of one or three: three weights, which add up to
// one (ITU-R 601-2, as PIL's convert("L")), repeat a single channel and keep it. Mean and
// std are those of the channels so weighted, equal ones being left as they are.
func (w *writer) luma(x string, scale, shift []float32) string {
	weights := [3]float64{0.299, 0.587, 0.114}
	one, bias := 0.0, 0.0
	for i, k := range weights {
		one, bias = one+k*float64(scale[i]), bias+k*float64(shift[i])
	}
	for i, k := range weights {
		scale[i] = float32(3 * k * one) // the mean over three divides by three
	}
	x = w.b.Op("Mul", "scaled", []string{x, w.b.Float32s("pixel_scale", scale, 1, 3, 1, 1)})
	x = w.b.Op("ReduceMean", "gray", []string{x, w.b.Int64s("channel_axis", 1)}, onnx.Attr{Name: "keepdims", Value: 1})
	return w.b.Op("Add", "normalized", []string{x, w.b.Float32s("pixel_shift", []float32{float32(bias)}, 1, 1, 1, 1)})
}

// embed turns normalised pixels into tokens [N,T,D]. The rows of class tokens and
// registers are made by padding with zeros and come, with the positions, out of
// one table.
func (w *writer) embed(x string) string {
	c := w.Config
	p, d := int64(c.Patch), int64(c.Width)
	conv := []string{x, w.param("patch.weight")}
	if !c.NoPatchBias {
		conv = append(conv, w.param("patch.bias"))
	}
	x = w.b.Op("Conv", "patches", conv,
		onnx.Attr{Name: "kernel_shape", Value: []int64{p, p}}, onnx.Attr{Name: "strides", Value: []int64{p, p}})
	x = w.b.Op("Reshape", "patches_flat", []string{x, w.b.Int64s("patches_shape", 0, d, -1)})
	x = w.b.Op("Transpose", "patch_tokens", []string{x}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}})
	if c.prefix() > 0 {
		x = w.b.Op("Pad", "tokens", []string{x, w.b.Int64s("class_token_row", 0, int64(c.prefix()), 0, 0, 0, 0)})
	}
	x = w.b.Op("Add", "embeddings", []string{x, w.lazy("positions", []int{1, c.tokens(), c.Width}, w.table)})
	if c.PreNorm {
		x = w.norm(x, "norm_pre")
	}
	return x
}

// table is what embed adds: rows of class tokens and registers, with their
// positions where they have some, then the patches' positions. [T,D]
func (m *Model) table() ([]float32, error) {
	c := m.Config
	pos, err := m.tensor("pos")
	if err != nil {
		return nil, err
	}
	head := c.posPrefix() * c.Width
	rows := make([]float32, c.prefix()*c.Width, c.tokens()*c.Width)
	copy(rows, pos[:head])
	at := 0
	for _, part := range []struct {
		name  string
		there bool
	}{{"cls", !c.NoClass}, {"dist", c.Distilled}, {"registers", c.Registers > 0}} {
		if !part.there {
			continue
		}
		token, err := m.tensor(part.name)
		if err != nil {
			return nil, err
		}
		for _, v := range token {
			rows[at] += v
			at++
		}
	}
	return append(rows, pos[head:]...), nil
}

// block is x + attention(norm1(x)), then x + perceptron(norm2(x)): [N,T,D] to
// the same. Layer scale multiplies what is added, by way of the weights.
func (w *writer) block(x string, i int, k constants) string {
	b := fmt.Sprintf("blocks.%d.", i)
	ls1, ls2 := "", ""
	if w.Config.LayerScale {
		ls1, ls2 = b+"ls1", b+"ls2"
	}
	y := w.scaledDense(w.attention(w.norm(x, b+"norm1"), b, k), b+"proj", ls1)
	x = w.b.Op("Add", b+"attention_residual", []string{x, y})
	y = w.dense(w.norm(x, b+"norm2"), b+"fc1")
	y = w.scaledDense(w.activation(y, b, k), b+"fc2", ls2)
	return w.b.Op("Add", b+"residual", []string{x, y})
}

func (w *writer) norm(x, name string) string { return w.normAs(name, x, name) }

// normAs is norm with the tensors called name and an output called as.
func (w *writer) normAs(as, x, name string) string {
	if !w.has(name + ".bias") {
		return w.rmsNorm(as, x, name)
	}
	return w.b.Op("LayerNormalization", as, []string{x, w.param(name + ".weight"), w.param(name + ".bias")},
		onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "epsilon", Value: w.Config.Eps})
}

// rmsNorm is x/√(mean x² + ε), scaled; ONNX has an operator for it from operator set 23 on.
func (w *writer) rmsNorm(as, x, name string) string {
	mean := w.b.Op("ReduceMean", as+"_power", []string{w.b.Op("Mul", as+"_squared", []string{x, x}), w.b.Int64s("last_axis", -1)}, onnx.Attr{Name: "keepdims", Value: 1})
	root := w.b.Op("Sqrt", as+"_root", []string{w.b.Op("Add", as+"_positive", []string{mean, w.b.Float32s("epsilon", []float32{w.Config.Eps})})})
	return w.b.Op("Mul", as, []string{w.b.Op("Div", as+"_unit", []string{x, root}), w.param(name + ".weight")})
}

// has tells whether the network has a tensor of graft's name.
func (w *writer) has(name string) bool { _, ok := w.weights[name]; return ok }

// dense is a linear layer on the last axis.
func (w *writer) dense(x, name string) string { return w.scaledDense(x, name, "") }

// scaledDense is dense, each of its numbers multiplied by that of the tensor
// called scale; "" is none.
func (w *writer) scaledDense(x, name, scale string) string {
	if !w.has(name + ".bias") {
		return w.b.Op("MatMul", name, []string{x, w.linear(name+".weight", scale)})
	}
	x = w.b.Op("MatMul", name+".product", []string{x, w.linear(name+".weight", scale)})
	return w.b.Op("Add", name, []string{x, w.scaled(name+".bias", scale)})
}

// attention is multi-head self-attention over [N,T,D], up to the last linear
// layer.
func (w *writer) attention(x, b string, k constants) string {
	qkv := w.b.OpN("Split", 3, b+"split", []string{w.dense(x, b+"qkv")}, onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "num_outputs", Value: 3})
	return w.attend(qkv[0], qkv[1], qkv[2], b, k)
}

// attend lets each of the queries [N,Q,D] gather from the values [N,T,D] as the
// keys [N,T,D] say, head by head: [N,Q,D].
func (w *writer) attend(queries, keys, values, b string, k constants) string {
	q := w.heads(queries, b+"q", k, 0, 2, 1, 3) // [N,heads,Q,D/heads]
	var kT string                               // [N,heads,D/heads,T]
	if w.has(b + "q_norm.weight") {
		q = w.norm(q, b+"q_norm")
		kT = w.norm(w.heads(keys, b+"k", k, 0, 2, 1, 3), b+"k_norm")
		kT = w.b.Op("Transpose", b+"k_turned", []string{kT}, onnx.Attr{Name: "perm", Value: []int64{0, 1, 3, 2}})
	} else {
		kT = w.heads(keys, b+"k", k, 0, 2, 3, 1)
	}
	v := w.heads(values, b+"v", k, 0, 2, 1, 3)
	q = w.b.Op("Mul", b+"q_scaled", []string{q, k.scale})
	s := w.b.Op("MatMul", b+"scores", []string{q, kT}) // [N,heads,Q,T]
	s = w.b.Op("Softmax", b+"attention", []string{s}, onnx.Attr{Name: "axis", Value: -1})
	y := w.b.Op("MatMul", b+"mixed", []string{s, v})
	y = w.b.Op("Transpose", b+"mixed_tokens", []string{y}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1, 3}})
	return w.b.Op("Reshape", b+"mixed_flat", []string{y, k.tokenShape})
}

// heads splits the last axis of [N,T,D] into heads and permutes.
func (w *writer) heads(x, name string, k constants, perm ...int64) string {
	x = w.b.Op("Reshape", name+"_heads", []string{x, k.headShape})
	return w.b.Op("Transpose", name, []string{x}, onnx.Attr{Name: "perm", Value: perm})
}

// token is the token of [N,T,D] that the index tells: [N,D].
func (w *writer) token(x, name, index string) string {
	return w.b.Op("Gather", name, []string{x, index}, onnx.Attr{Name: "axis", Value: 1})
}

// patchMean is the mean over the patch tokens of [N,T,D]: [N,D].
func (w *writer) patchMean(x, name string, k constants) string {
	if w.Config.prefix() > 0 {
		x = w.b.Op("Slice", name+"_patches", []string{x, k.patches, k.toEnd, k.axisT})
	}
	return w.b.Op("ReduceMean", name, []string{x, k.axisT}, onnx.Attr{Name: "keepdims", Value: 0})
}

// attentionPool lets a trained query gather from the tokens [N,T,D], and adds a
// perceptron of what it found (big_vision's MAPHead): the tap pool, [N,D].
func (w *writer) attentionPool(x string, k constants) {
	const b = "pool."
	q := w.dense(w.param(b+"query"), b+"q") // [1,1,D]
	kv := w.b.OpN("Split", 2, b+"split", []string{w.dense(x, b+"kv")}, onnx.Attr{Name: "axis", Value: -1}, onnx.Attr{Name: "num_outputs", Value: 2})
	y := w.dense(w.attend(q, kv[0], kv[1], b+"heads.", k), b+"proj") // [N,1,D]
	z := w.dense(w.norm(y, b+"norm"), b+"fc1")
	z = w.dense(w.activation(z, b, k), b+"fc2")
	w.token(w.b.Op("Add", b+"residual", []string{y, z}), "pool", k.first)
}
