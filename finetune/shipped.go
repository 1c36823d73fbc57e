package finetune

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/ort"
	"graft/preprocess"
	"graft/pretrained"
)

// openShipped opens a file that Export wrote, for batches of a size, 0: of what
// suits it.
func openShipped(path string, o PredictorOptions, batch int) (*Predictor, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("%s holds its own backbone; leave out the settings for one", path)
	}
	meta, err := readMetadata(path)
	if err != nil {
		return nil, err
	}
	var labels []string
	if err := json.Unmarshal([]byte(meta[keyLabels]), &labels); err != nil || len(labels) < 2 {
		return nil, fmt.Errorf("%s: metadata %s is %q, want a list of classes; graft export writes such files from a run", path, keyLabels, meta[keyLabels])
	}
	p := &Predictor{labels: labels}
	if meta[keyNotes] != "" {
		p.notes = strings.Split(meta[keyNotes], "\n")
	}
	if p.model, err = openShippedModel(path, meta, len(labels), batch, o.Runtime); err != nil {
		return nil, err
	}
	return p, nil
}

func openShippedModel(path string, meta map[string]string, classes, batch int, o ort.Options) (classifier, error) {
	o.Outputs = []string{outLogits}
	if meta[keyForeign] == "" {
		return openOwnShipped(path, meta, classes, batch, o)
	}
	f := &pretrained.Foreign{}
	if err := json.Unmarshal([]byte(meta[keyForeign]), f); err != nil {
		return nil, fmt.Errorf("%s: metadata %s: %w", path, keyForeign, err)
	}
	f.Output, f.Pool = outLogits, pretrained.PoolNone
	b, err := pretrained.Open(path, pretrained.Options{Runtime: o, Foreign: f})
	if err != nil {
		return nil, err
	}
	if got := b.Dim(pretrained.FeaturesTap); got != classes {
		return nil, errors.Join(fmt.Errorf("%s: %d logits for %d labels", path, got, classes), b.Close())
	}
	return foreignShipped{pieces{cmp.Or(batch, b.DefaultBatch()), b.Streams()}, b}, nil
}

// foreignShipped is an exported file whose pixels are prepared on the host: to
// pretrained it is a foreign model with logits for features.
type foreignShipped struct {
	pieces
	*pretrained.Backbone
}

func (f foreignShipped) prepare(im preprocess.Image) preprocess.Image { return f.Prepare(im) }

func (f foreignShipped) classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	return f.each(ctx, len(images), func(ctx context.Context, lo, hi int) error {
		return f.Run(ctx, images[lo:hi], []string{pretrained.FeaturesTap}, [][]float32{logits[lo*k : hi*k]})
	})
}

// ownShipped is an exported file that takes uint8 pixels.
type ownShipped struct {
	pieces
	session *ort.Session
	input   string
	size    int     // the network's side
	crop    float64 // of a photograph's shorter side
	// channels, if not 0, is how many every image must have, and each must be size×size: a cnn's or vit's input.
	channels int
}

// maxSide caps the image size that a file may claim.
const maxSide = 1 << 14

func readMetadata(path string) (map[string]string, error) {
	m, err := onnx.OpenHeader(path)
	if err != nil {
		return nil, err
	}
	return m.Metadata, m.Close()
}

func openOwnShipped(path string, meta map[string]string, classes, batch int, o ort.Options) (*ownShipped, error) {
	size, err := strconv.Atoi(meta["graft.image_size"])
	if err != nil || size < 1 || size > maxSide {
		return nil, fmt.Errorf("%s: metadata graft.image_size is %q, want a number of pixels", path, meta["graft.image_size"])
	}
	crop, err := strconv.ParseFloat(meta["graft.crop_pct"], 64)
	if err != nil || !(crop >= preprocess.MinCropPct && crop <= 1) {
		return nil, fmt.Errorf("%s: metadata graft.crop_pct is %q, want a number from %g to 1", path, meta["graft.crop_pct"], preprocess.MinCropPct)
	}
	s, err := pretrained.OpenSession(path, o)
	if err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	if err := checkShipped(s, classes); err != nil {
		return nil, errors.Join(fmt.Errorf("model %s: %w", path, err), s.Close())
	}
	out := &ownShipped{pieces: pieces{cmp.Or(batch, pretrained.DefaultBatch(s.Provider())), s.Streams()}, session: s, input: s.Inputs()[0].Name, size: size, crop: crop}
	if meta[keyKind] != "" {
		out.channels = int(s.Inputs()[0].Dims[1].Value)
	}
	return out, nil
}

func checkShipped(s *ort.Session, classes int) error {
	if in := s.Inputs(); len(in) != 1 || in[0].Type != onnx.Uint8 || len(in[0].Dims) != 4 {
		return fmt.Errorf("inputs %v, want one of uint8 [N,C,H,W]", in)
	}
	for _, v := range s.Outputs() {
		if v.Name != outLogits {
			continue
		}
		if v.Type != onnx.Float32 || len(v.Dims) != 2 || v.Dims[1].Value != int64(classes) {
			return fmt.Errorf("output %v, want float32 [N,%d] for the %d labels", v, classes, classes)
		}
		return nil
	}
	return fmt.Errorf("no output %q", outLogits)
}

func (s *ownShipped) Close() error { return s.session.Close() }

// prepare leaves small square images to the graph, which resizes them, as
// pretrained.Backbone.Prepare does.
func (s *ownShipped) prepare(im preprocess.Image) preprocess.Image {
	switch {
	case s.channels > 0:
		return fitImage(im, s.channels, s.size)
	case im.H != im.W || im.H > s.size:
		return preprocess.Square(im, s.size, s.crop)
	}
	return im
}

func (s *ownShipped) classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	return s.each(ctx, len(images), func(ctx context.Context, lo, hi int) error {
		return s.classifyPiece(ctx, images[lo:hi], logits[lo*k:hi*k])
	})
}

// classifyPiece runs neighbours of one shape together.
func (s *ownShipped) classifyPiece(ctx context.Context, images []preprocess.Image, logits []float32) error {
	k := len(logits) / len(images)
	for from := 0; from < len(images); {
		first, to := images[from], from+1
		pixels := slices.Clone(first.Pix)
		for to < len(images) && images[to].C == first.C && images[to].H == first.H && images[to].W == first.W {
			pixels = append(pixels, images[to].Pix...)
			to++
		}
		n := int64(to - from)
		in := ort.Tensor{Name: s.input, Shape: []int64{n, int64(first.C), int64(first.H), int64(first.W)}, Data: pixels}
		out := ort.Tensor{Name: outLogits, Shape: []int64{n, int64(k)}, Data: logits[from*k : to*k]}
		if err := s.session.Run(ctx, []ort.Tensor{in}, []ort.Tensor{out}); err != nil {
			return err
		}
		from = to
	}
	return nil
}
