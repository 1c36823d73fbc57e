// Package precision rewrites ONNX models of float32 into int8 or float16.
//
// The graph is rewritten as data; weights are converted one at a time when the
// model is written, so that no second copy of a model is ever held. Inputs and
// outputs keep their types. The result uses ONNX's own operators only.
//
// # Int8
//
// The products of the linear layers that repeat through a network (in a vision
// transformer qkv, proj, fc1 and fc2 of every block) become products of uint8
// activations and int8 weights; all else, with layer norm, softmax, activation
// functions, patch embedding and classifier, stays in float32. Weights are
// symmetric with one scale per output channel. Activations are quantised while
// the model runs, with one scale per token (row of the product's input), so no
// calibration is needed, a token with outliers spoils no other, and what an image
// gives does not depend on the batch it is in, as it does with
// DynamicQuantizeLinear's one scale for all. What follows an activation function
// that is bounded below, such as GELU, is shifted by that bound and so uses all
// 256 steps; the shift's share of the product is a constant.
//
// Each product is written as QuantizeLinear, DequantizeLinear and MatMul with a
// scale before and after, which ONNX Runtime fuses into one 8-bit kernel. On x86
// processors without VNNI instructions that kernel adds pairs of products in 16
// bits, which can saturate: compare such a machine's results with those of the
// float32 file.
//
// # Float16
//
// Weights, products and what lies between them are float16: half the size, and
// twice the speed or more on GPUs. Layer norm, softmax, residual sums, pixels and
// pooling are computed in float32. The CPU provider has no kernels for it.
package precision

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"

	"graft/onnx"
	"graft/onnx/meta"
)

// Kind is a number format that a network computes in.
type Kind string

// The kinds, as the metadata of files names them.
const (
	Float32 Kind = "float32"
	Float16 Kind = "float16"
	Int8    Kind = "int8"
)

// Saturates tells processors on which ONNX Runtime's 8-bit kernel may saturate: there Int8 is less exact.
func Saturates() bool {
	return runtime.GOARCH == "amd64" && !cpu.X86.HasAVX512VNNI && !cpu.X86.HasAVXVNNI
}

// Parse turns a word, or a Kind, into a Kind. The empty word is Float32.
func Parse(word string) (Kind, error) {
	switch strings.ToLower(word) {
	case "", "fp32", string(Float32):
		return Float32, nil
	case "fp16", string(Float16):
		return Float16, nil
	case string(Int8):
		return Int8, nil
	}
	return "", fmt.Errorf("unknown precision %q, want one of fp32, fp16, int8", word)
}

// Rewrite turns a model of float32 into one of kind k, in place, which its metadata
// then says, and returns the number of products it changed. The model's weights must stay readable until it is written.
// A model that is not of float32, or in which nothing can be changed, is an error.
func Rewrite(m *onnx.Model, k Kind) (products int, err error) {
	about, err := meta.Read(m.Metadata)
	if err != nil {
		return 0, err
	}
	if was := about.Precision; was != "" && was != string(Float32) {
		return 0, fmt.Errorf("the model is of %s already: take the float32 file", was)
	}
	var how string
	switch k {
	case Float32:
		return 0, nil
	case Int8:
		how, products, err = rewriteInt8(m)
	case Float16:
		how, products, err = rewriteHalf(m)
	default:
		err = fmt.Errorf("unknown precision %q", k)
	}
	if err != nil {
		return 0, err
	}
	if products == 0 {
		return 0, fmt.Errorf("%s: no products with constant float32 matrices found that could be rewritten", k)
	}
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	about.Precision, about.Quantization = string(k), how
	about.Write(m.Metadata)
	m.Prune()
	return products, m.Validate()
}

// ConvertFile rewrites the ONNX file in and writes it to out, which may be the
// same, if try, see onnx.Model.WriteFile, finds it good.
func ConvertFile(in, out string, k Kind, try ...func(path string) error) (products int, err error) {
	m, err := onnx.Open(in)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if products, err = Rewrite(m, k); err != nil {
		return 0, fmt.Errorf("%s: %w", in, err)
	}
	return products, m.WriteFile(out, try...)
}
