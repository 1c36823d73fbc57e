package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/finetune/load"
	"graft/onnx"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained"
)

// Names in a file that package ship writes.
const (
	OutLogits        = "logits"
	OutProbabilities = "probabilities"
)

// OpenFile opens a file that package ship wrote, for batches of a size, 0: of what
// suits it.
func OpenFile(ctx context.Context, path string, o Options, batch int) (*Predictor, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("%s holds its own backbone; leave out the settings for one", path)
	}
	f, err := pretrained.OpenFile(path)
	if err != nil {
		return nil, err
	}
	if f.Meta.Labels == nil {
		return nil, fmt.Errorf("%s: no metadata graft.labels, the list of classes; graft export writes such files from a run", path)
	}
	p := &Predictor{labels: f.Meta.Labels, notes: f.Meta.Notes, temperature: cmp.Or(f.Meta.Temperature, 1)}
	if p.Classifier, err = openShippedModel(ctx, f, batch, o.Runtime); err != nil {
		return nil, err
	}
	return p, nil
}

func openShippedModel(ctx context.Context, file *pretrained.File, batch int, o session.Options) (Classifier, error) {
	o.Outputs = []string{OutLogits}
	if file.Meta.Foreign == nil || file.Meta.Whole {
		return openOwnShipped(ctx, file, batch, o)
	}
	f := *file.Meta.Foreign
	f.Output, f.Pool = OutLogits, pretrained.PoolNone
	b, err := file.Open(ctx, pretrained.Options{Runtime: o, Foreign: &f})
	if err != nil {
		return nil, err
	}
	if got, want := b.Dim(pretrained.FeaturesTap), len(file.Meta.Labels); got != want {
		return nil, errors.Join(fmt.Errorf("%s: %d logits for %d labels", file.Path, got, want), b.Close())
	}
	return foreignShipped{batches{cmp.Or(batch, b.DefaultBatch()), b.Streams()}, b}, nil
}

// foreignShipped is an exported file whose pixels are prepared on the host: to
// pretrained it is a foreign model with logits for features.
type foreignShipped struct {
	batches
	*pretrained.Backbone
}

func (f foreignShipped) Classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	return f.each(ctx, len(images), func(lo, hi int) error {
		return f.Run(ctx, images[lo:hi], []string{pretrained.FeaturesTap}, [][]float32{logits[lo*k : hi*k]})
	})
}

// ownShipped is an exported file that takes uint8 pixels.
type ownShipped struct {
	batches
	session session.Session
	input   string
	spec    preprocess.Spec
	// fit is a cnn's or vit's: every image must be spec.Size a side, and have so many channels, where these are not 0.
	fit      bool
	channels int
	whole    bool // images are taken as they are, [N,H,W,C], one at a time
}

func openOwnShipped(ctx context.Context, f *pretrained.File, batch int, o session.Options) (*ownShipped, error) {
	if f.Meta.Spec.Size == 0 && !f.Meta.Whole {
		return nil, fmt.Errorf("%s: no metadata graft.image_size, the side of the images", f.Path)
	}
	s, err := f.OpenSession(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	if err := checkShipped(s, len(f.Meta.Labels)); err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", f.Path, err), s.Close())
	}
	out := &ownShipped{batches: batches{cmp.Or(batch, pretrained.DefaultBatch(s.Provider())), s.Streams()}, session: s, input: s.Inputs()[0].Name, spec: f.Meta.Spec, whole: f.Meta.Whole}
	if out.fit = f.Meta.Kind != "" && !out.whole; out.fit {
		out.channels = int(max(0, s.Inputs()[0].Dims[1].Value))
	}
	return out, nil
}

func checkShipped(s session.Session, classes int) error {
	if in := s.Inputs(); len(in) != 1 || in[0].Type != onnx.Uint8 || len(in[0].Dims) != 4 {
		return fmt.Errorf("inputs %v, want one of uint8 [N,C,H,W]", in)
	}
	for _, v := range s.Outputs() {
		if v.Name != OutLogits {
			continue
		}
		if v.Type != onnx.Float32 || len(v.Dims) != 2 || v.Dims[1].Value != int64(classes) {
			return fmt.Errorf("output %v, want float32 [N,%d] for the %d labels", v, classes, classes)
		}
		return nil
	}
	return fmt.Errorf("no output %q", OutLogits)
}

func (s *ownShipped) Close() error { return s.session.Close() }

// Prepare does what pretrained.Backbone.Prepare does, or makes a cnn's or vit's input, where the graph does not.
func (s *ownShipped) Prepare(im preprocess.Image) preprocess.Image {
	switch {
	case s.whole:
		return im
	case s.fit:
		return load.FitImage(im, s.channels, s.spec.Size)
	}
	return s.spec.Cut(im)
}

func (s *ownShipped) Classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	return s.each(ctx, len(images), func(lo, hi int) error {
		return s.classifyPiece(ctx, images[lo:hi], logits[lo*k:hi*k])
	})
}

// classifyPiece runs neighbours of one shape together.
func (s *ownShipped) classifyPiece(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	for from := 0; from < len(images); {
		first, to := images[from], from+1
		pixels, shape := slices.Clone(first.Pix), []int64{1, int64(first.C), int64(first.H), int64(first.W)}
		if s.whole {
			pixels, shape = first.Interleaved(), []int64{1, int64(first.H), int64(first.W), int64(first.C)}
		}
		for !s.whole && to < len(images) && images[to].C == first.C && images[to].H == first.H && images[to].W == first.W {
			pixels = append(pixels, images[to].Pix...)
			to++
		}
		n := int64(to - from)
		shape[0] = n
		in := session.Tensor{Name: s.input, Shape: shape, Data: pixels}
		out := session.Tensor{Name: OutLogits, Shape: []int64{n, int64(k)}, Data: logits[from*k : to*k]}
		if err := s.session.Run(ctx, []session.Tensor{in}, []session.Tensor{out}); err != nil {
			return err
		}
		from = to
	}
	return nil
}
