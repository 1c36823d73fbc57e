package pretrained

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"graft/onnx"
	"graft/onnx/session"
	"graft/preprocess"
)

// ownInput is the input of graft's own files.
const ownInput = "pixels"

// ownTap is the outputs of graft's files that are features; logits are not. The
// names are explained in package taps.
var ownTap = regexp.MustCompile(`^((cls|mean)(_[0-9]+)?|pool|dist|proj)$`)

// ownModel is the adapter of files that graft exported.
type ownModel struct {
	preprocess.Spec
	infos []tapInfo
}

func newOwn(f *File) (*ownModel, error) {
	o := &ownModel{Spec: f.Meta.Spec}
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("metadata graft.mean, graft.std and graft.interpolation: %w", err)
	}
	for _, v := range f.Header.Outputs {
		if !ownTap.MatchString(v.Name) {
			continue
		}
		if v.Type != onnx.Float32 || len(v.Dims) != 2 || v.Dims[1].Value < 1 {
			return nil, fmt.Errorf("output %v: wanted float32 [N,D] with a fixed D", v)
		}
		o.infos = append(o.infos, tapInfo{name: v.Name, dim: int(v.Dims[1].Value), tensor: v.Name})
	}
	return o, nil
}

func (o *ownModel) taps() []tapInfo       { return slices.Clone(o.infos) }
func (o *ownModel) spec() preprocess.Spec { return o.Spec }

func (o *ownModel) blank() ([]session.Tensor, int) {
	h, w := o.Size, cmp.Or(o.Width, o.Size)
	return []session.Tensor{{Name: ownInput, Shape: []int64{1, 3, int64(h), int64(w)}, Data: make([]uint8, 3*h*w)}}, 1
}

func (o *ownModel) trial(f *File, outputs []string) *trial { return f.trial(outputs) }

func (o *ownModel) prepare(im preprocess.Image) preprocess.Image { return o.Cut(im) }

func (o *ownModel) pixels(x []float32, im preprocess.Image) {
	for i, v := range im.Pix {
		x[i] = float32(v)
	}
}

// run feeds the pixels of equal images as they are: [N,C,H,W] uint8.
func (o *ownModel) run(ctx context.Context, s session.Session, buffers *scratch, batch []preprocess.Image, taps []tapInfo, out [][]float32) error {
	first := batch[0]
	buffers.pixels = buffers.pixels[:0]
	for _, im := range batch {
		buffers.pixels = append(buffers.pixels, im.Pix...)
	}
	n := int64(len(batch))
	in := []session.Tensor{{Name: ownInput, Shape: []int64{n, int64(first.C), int64(first.H), int64(first.W)}, Data: buffers.pixels}}
	outs := make([]session.Tensor, len(taps))
	for t, info := range taps {
		outs[t] = session.Tensor{Name: info.tensor, Shape: info.outputShape(n), Data: out[t]}
	}
	return s.Run(ctx, in, outs)
}
