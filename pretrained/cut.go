package pretrained

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/precision"
	"graft/pretrained/taps"
)

// outputShape is that of the model's output of n images: of a cut its own, else [n,dim].
func (t tapInfo) outputShape(n int64) []int64 {
	if t.shape == nil {
		return []int64{n, int64(t.dim)}
	}
	shape := []int64{n}
	for _, d := range t.shape {
		shape = append(shape, int64(d))
	}
	return shape
}

// wantedCut is a cut that was asked for.
type wantedCut struct {
	name   string // the tap's
	tensor string // "" of tokens_k
}

// wantedCuts finds them, each once, among words of package taps.
func wantedCuts(words []string) (out []wantedCut) {
	for _, w := range strings.Split(strings.Join(words, ","), ",") {
		cut := wantedCut{name: strings.TrimSpace(w)}
		if tensor, ok := strings.CutPrefix(cut.name, taps.TensorWord); ok {
			cut = wantedCut{taps.Tensor(tensor), tensor}
		}
		if taps.Cut(cut.name) && !slices.Contains(out, cut) {
			out = append(out, cut)
		}
	}
	return out
}

// cuts are those of the open taps that are.
func (b *Backbone) cuts() []tapInfo {
	return slices.DeleteFunc(slices.Clone(b.open), func(t tapInfo) bool { return t.shape == nil })
}

// findCuts finds the tensors of cuts, and their shapes.
func (b *Backbone) findCuts(ctx context.Context, wanted []wantedCut, threads int) (cuts []tapInfo, err error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	m, err := onnx.Open(b.file.Path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	index := onnx.NewIndex(m)
	var tensors []string
	for _, w := range wanted {
		if w.tensor != "" && b.Precision() == string(precision.Float16) { // but residual sums stay in float32
			return nil, fmt.Errorf("tensor:%s: its numbers may be float16; of such a file tokens_k can be taken, and tensors by name of float32 and int8 files", w.tensor)
		}
		if w.tensor == "" {
			if w.tensor, err = b.blockTensor(m, w.name); err != nil {
				return nil, err
			}
		}
		if index.Producers[w.tensor] == nil {
			return nil, fmt.Errorf("no node computes a tensor %q; graft model blocks lists where it can be cut", w.tensor)
		}
		cuts, tensors = append(cuts, tapInfo{name: w.name, tensor: w.tensor}), append(tensors, w.tensor)
	}
	shapes, err := probeShapes(ctx, b.file.Path, b.adapter, tensors, threads)
	if err != nil {
		return nil, fmt.Errorf("find the shapes where it is cut: %w", err)
	}
	for i := range cuts {
		if err := cuts[i].settle(shapes[i]); err != nil {
			return nil, err
		}
	}
	return cuts, nil
}

// settle sets the cut's shape from that of a batch.
func (t *tapInfo) settle(batch []int64) error {
	if len(batch) < 2 {
		return fmt.Errorf("tensor %q is %v; wanted one with values of each image", t.tensor, batch)
	}
	t.dim = 1
	for _, d := range batch[1:] {
		if d < 1 || t.dim > maxOutput/int(d) {
			return fmt.Errorf("tensor %q is %v; wanted 1 to %d values per image", t.tensor, batch, maxOutput)
		}
		t.dim *= int(d)
		t.shape = append(t.shape, int(d))
	}
	return nil
}

// cut is the file whose model has cuts for outputs beside its own.
func (f *File) cut(cuts []tapInfo) *File {
	if len(cuts) == 0 {
		return f
	}
	header := *f.Header
	header.Outputs = slices.Clone(header.Outputs)
	addCuts(&header, cuts)
	c := f.Changed("", func(m *onnx.Model) error { addCuts(m, cuts); return nil })
	c.Header = &header
	return c
}

// addCuts makes the cuts outputs of m, beside its own.
func addCuts(m *onnx.Model, cuts []tapInfo) {
	for _, t := range cuts {
		if slices.ContainsFunc(m.Outputs, func(v onnx.Value) bool { return v.Name == t.tensor }) {
			continue
		}
		dims := []onnx.Dim{{Name: "N"}}
		for _, d := range t.shape {
			dims = append(dims, onnx.Dim{Value: int64(d)})
		}
		m.Outputs = append(m.Outputs, onnx.Value{Name: t.tensor, Type: onnx.Float32, Dims: dims})
	}
}
