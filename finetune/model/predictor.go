// Package model opens whatever turns images into logits: a head with its backbone, a network on images, or a file that
// package ship wrote.
package model

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/run"
	"graft/internal/regular"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/detect"
)

// Options say how a Predictor runs.
type Options struct {
	Runtime session.Options
	Many    bool             // images come by the hundred: they are taken in batches
	Model   string           // the backbone's ONNX file; empty: where the run says, or beside the run
	Foreign *preprocess.Spec // describes a backbone that graft did not export; nil: as the run recorded it
}

// Predictor classifies images with a run, or with a file that package ship wrote.
// Its methods but Close may be called from several goroutines, and give each what
// it would get alone.
type Predictor struct {
	Classifier
	labels      []string
	notes       []string
	temperature float64
}

// New is a Predictor of any classifier of the labels' classes.
func New(c Classifier, labels []string) *Predictor {
	return &Predictor{Classifier: c, labels: labels, temperature: 1}
}

// Classifier turns images into rows of logits.
type Classifier interface {
	// Prepare brings an image to what Classify takes; it may run beside it.
	Prepare(im preprocess.Image) preprocess.Image
	// Classify fills logits, [len(images),classes]. It may be called from several goroutines.
	Classify(ctx context.Context, images []preprocess.Image, logits []float32) error
	// BatchSize is how many images Classify takes at once where there are many.
	BatchSize() int
	Close() error
}

// Open opens a run's folder or an exported .onnx file, for one image at a time where there are not Many.
func Open(ctx context.Context, path string, o Options) (*Predictor, error) {
	batch := 1
	if o.Many {
		batch, o.Runtime.Throughput = 0, true
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return OpenFile(ctx, path, o, batch)
	}
	r, err := run.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenRun(ctx, r, o, batch)
}

// nativeBatch is how many images Go-native networks take at once: few, so that
// one image does not cost many.
const nativeBatch = 8

// OpenRun is a run as a Predictor that takes batches of a size, 0: of what suits it.
func OpenRun(ctx context.Context, r *run.Run, o Options, batch int) (p *Predictor, err error) {
	p = &Predictor{labels: r.Config.Classes, notes: r.Config.Notes, temperature: r.Config.SoftmaxTemperature()}
	if r.Config.OnBackbone() {
		p.Classifier, err = openHead(ctx, r, o, batch)
	} else {
		p.Classifier, err = openNetwork(r, o, batch)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Labels are the classes, in the order of probabilities.
func (p *Predictor) Labels() []string { return slices.Clone(p.labels) }

// Notes are sentences that whoever reads predictions must know, such as that no
// pretrained weights were used.
func (p *Predictor) Notes() []string { return slices.Clone(p.notes) }

// Temperature is what probabilities divide the logits by.
func (p *Predictor) Temperature() float64 { return p.temperature }

// Image returns the probability of every class, in the order of Labels.
func (p *Predictor) Image(ctx context.Context, im preprocess.Image) ([]float32, error) {
	logits := make([]float32, len(p.labels))
	if err := p.Classify(ctx, []preprocess.Image{p.Prepare(im)}, logits); err != nil {
		return nil, err
	}
	return fit.Probabilities(fit.Cool(logits, p.temperature), len(logits)), nil
}

// Score is one class's probability.
type Score struct {
	Label       string  `json:"label"`
	Probability float32 `json:"probability"`
}

// Prediction is what is said of one file, or of a face in it: scores, most probable first (of equal
// ones, in the order of the classes), or why there are none.
type Prediction struct {
	Image  string       `json:"image"`
	Label  string       `json:"label,omitempty"`
	Face   *detect.Face `json:"face,omitempty"` // where faces were looked for; its box is in pixels of the upright photograph
	Scores []Score      `json:"scores,omitempty"`
	Error  string       `json:"error,omitempty"`
}

// File classifies one image file. A file that is missing, a folder or no image
// is an error that names it.
func (p *Predictor) File(ctx context.Context, path string) (Prediction, error) {
	out := Prediction{Image: path}
	im, err := ReadImage(ctx, path)
	if err == nil {
		var probs []float32
		if probs, err = p.Image(ctx, im); err == nil {
			err = finite(probs)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		} else {
			out.score(p.labels, probs)
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out, err
}

// score gives a prediction its scores.
func (p *Prediction) score(labels []string, probs []float32) {
	p.Scores = rank(labels, probs)
	p.Label = p.Scores[0].Label
}

// ReadImage decodes an image file, upright. A file that is missing, a folder or no image is an error that names it.
func ReadImage(ctx context.Context, path string) (preprocess.Image, error) {
	f, err := regular.Open(path)
	if err != nil {
		return preprocess.Image{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return preprocess.Image{}, err
	} else if info.Size() > preprocess.MaxFileBytes {
		return preprocess.Image{}, fmt.Errorf("%s: %d bytes, want an image file of %d at most", path, info.Size(), preprocess.MaxFileBytes)
	}
	im, err := preprocess.Decode(ctx, f)
	if err != nil {
		return im, fmt.Errorf("%s: %w", path, err)
	}
	return im, nil
}

func rank(labels []string, probs []float32) []Score {
	out := make([]Score, len(labels))
	for i, l := range labels {
		out[i] = Score{l, probs[i]}
	}
	slices.SortStableFunc(out, func(a, b Score) int { return cmp.Compare(b.Probability, a.Probability) })
	return out
}
