package vit

import (
	"context"
	"fmt"
	"io"

	"graft/onnx"
	"graft/onnx/meta"
	"graft/onnx/precision"
	"graft/preprocess"
)

// ExportOptions says how an ONNX file is written.
type ExportOptions struct {
	Version   string                  // of the tool, for the file's metadata
	Precision precision.Kind          // "" is Float32
	Progress  func(done, total int64) // bytes of weights written; may be nil
	Try       func(path string) error // see onnx.Model.WriteFile; may be nil
}

// opset is the ONNX operator set of the files: 17 brought LayerNormalization,
// 18 Resize with axes.
const opset = 18

// Export writes the network as an ONNX file, atomically. Weights are read,
// laid out and written one tensor at a time.
//
// Input: pixels, uint8 [N,C,H,W], C 1 (gray) or 3 (RGB), any H and W. The graph
// stretches it to the input's size (bilinear, half-pixel centres, no antialias, as
// torch's F.interpolate with align_corners=False), divides by 255, normalises
// and repeats gray to RGB. Outputs: the taps (see Config.taps), float32, and logits
// [N,Classes] where there is a classifier, which sees cls, or what stands for it
// in the network. Every shape but the input's is static, and no operator
// computes shapes, so that a provider can take the whole graph.
func (m *Model) Export(ctx context.Context, path string, o ExportOptions) error {
	g := m.graph(ctx, o)
	if o.Precision != "" {
		if _, err := precision.Rewrite(g, o.Precision); err != nil {
			return fmt.Errorf("%s: %w", m.Source, err)
		}
	}
	return g.WriteFile(path, o.Try)
}

// graph builds the ONNX model; weights stay unread until it is written.
func (m *Model) graph(ctx context.Context, o ExportOptions) *onnx.Model {
	model := &onnx.Model{
		Name: m.Config.Arch(), Opset: opset, Producer: "graft", ProducerVersion: o.Version,
		Doc:      fmt.Sprintf("vision transformer %s from %s: uint8 pixels to features", m.Config.Arch(), m.Source),
		Metadata: m.metadata(o.Version),
	}
	w := &writer{Model: m, b: onnx.NewBuilder(model), ctx: ctx, progress: o.Progress}
	w.build()
	return model
}

// metadata describes the file: what the network is, where it came from and the
// preprocessing that the graph does and that the host does before it.
func (m *Model) metadata(version string) map[string]string {
	c, p := m.Config, m.Preprocess
	d := meta.Meta{
		Version: version, Arch: c.Arch(), Variant: c.variant(), Family: m.Family, Source: m.Source, SourceSHA256: m.SHA256,
		Patch: c.Patch, Width: c.Width, Depth: c.Depth, Heads: c.Heads, Parameters: int(c.Params()), Precision: string(precision.Float32),
		Spec: preprocess.Spec{Size: c.Image, Width: c.Across, Filter: preprocess.Bilinear, Crop: p.CropPct, Normalization: p.Normalization},
	}
	if p.Interpolation != preprocess.Bilinear {
		d.SourceInterpolation = p.Interpolation
	}
	out := map[string]string{}
	d.Write(out)
	return out
}

// writer builds the graph of one model.
type writer struct {
	*Model
	b           *onnx.Builder
	ctx         context.Context // of the write, which reads the weights
	progress    func(done, total int64)
	done, total int64
}

// param adds the tensor of graft's name, as it is.
func (w *writer) param(name string) string { return w.scaled(name, "") }

// linear adds a linear layer's matrix, [out,in] in checkpoints, as the [in,out]
// that MatMul wants. Its rows are multiplied by the numbers of the tensor called
// scale.
func (w *writer) linear(name, scale string) string {
	s := w.weights[name].shape
	return w.lazy(name, []int{s[1], s[0]}, func() ([]float32, error) {
		v, err := w.product(name, scale)
		if err != nil {
			return nil, err
		}
		return transpose(v, s[0], s[1]), nil
	})
}

// scaled adds the tensor of graft's name with its rows multiplied likewise.
func (w *writer) scaled(name, scale string) string {
	return w.lazy(name, w.weights[name].shape, func() ([]float32, error) { return w.product(name, scale) })
}

// product is a tensor with its rows multiplied by the numbers of the tensor
// called scale; "" leaves it as it is.
func (m *Model) product(name, scale string) ([]float32, error) {
	v, err := m.tensor(name)
	if err != nil || scale == "" {
		return v, err
	}
	factors, err := m.tensor(scale)
	if err != nil {
		return nil, err
	}
	cols := len(v) / len(factors)
	for r, f := range factors {
		for i := r * cols; i < (r+1)*cols; i++ {
			v[i] *= f
		}
	}
	return v, nil
}

// lazy adds an initialiser that is read when it is written.
func (w *writer) lazy(name string, shape []int, read func() ([]float32, error)) string {
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	size := 4 * int64(elements(shape))
	w.total += size // not the small constants, whose writing nobody counts
	return w.b.Const(name, onnx.Float32, dims, &lazy{w: w, size: size, read: read})
}

// lazy is a tensor's content, produced on demand.
type lazy struct {
	w    *writer
	size int64
	read func() ([]float32, error)
}

func (l *lazy) Size() int64 { return l.size }

func (l *lazy) WriteTo(out io.Writer) (int64, error) {
	if err := l.w.ctx.Err(); err != nil {
		return 0, err
	}
	v, err := l.read()
	if err != nil {
		return 0, err
	}
	n, err := onnx.Float32s(v).WriteTo(out)
	l.w.done += n
	if l.w.progress != nil {
		l.w.progress(l.w.done, l.w.total)
	}
	return n, err
}

// transpose turns [rows,cols] into [cols,rows] in square tiles, which stay in
// the processor's cache.
func transpose(v []float32, rows, cols int) []float32 {
	const tile = 32
	out := make([]float32, len(v))
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < cols; c0 += tile {
			for r := r0; r < min(r0+tile, rows); r++ {
				for c := c0; c < min(c0+tile, cols); c++ {
					out[c*rows+r] = v[r*cols+c]
				}
			}
		}
	}
	return out
}
