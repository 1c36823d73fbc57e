package finetune

import (
	"context"
	"fmt"
	"os"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/onnx/ort"
	"graft/preprocess"
	"graft/pretrained"
)

// PredictorOptions say how a Predictor runs.
type PredictorOptions struct {
	Runtime ort.Options
	Model   string              // the backbone's ONNX file; empty: where the run says, or beside the run
	Foreign *pretrained.Foreign // describes a backbone that graft did not export; nil: as the run recorded it
}

// Predictor classifies images with a run, or with a file that Export wrote.
type Predictor struct {
	labels []string
	notes  []string
	model  classifier
}

// classifier turns images into rows of logits.
type classifier interface {
	// prepare brings an image to what classify takes; it may run beside it.
	prepare(im preprocess.Image) preprocess.Image
	// classify fills logits, [len(images),classes].
	classify(ctx context.Context, images []preprocess.Image, logits []float32) error
	// together is how many images classify takes at once where there are many.
	together() int
	Close() error
}

// OpenPredictor opens a run's folder or an exported .onnx file.
func OpenPredictor(path string, o PredictorOptions) (*Predictor, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return openShipped(path, o, 1)
	}
	r, err := OpenRun(path)
	if err != nil {
		return nil, err
	}
	return r.predictor(o, 1)
}

// nativeBatch is how many images Go-native networks take at once: few, so that
// one image does not cost many.
const nativeBatch = 8

// predictor is a run as a Predictor that takes batches of a size, 0: of what suits it.
func (r *Run) predictor(o PredictorOptions, batch int) (*Predictor, error) {
	var model classifier
	var err error
	if r.Config.Kind == nets.KindHead {
		model, err = openPipeline(r, o, batch)
	} else {
		model, err = openNetwork(r, o, batch)
	}
	if err != nil {
		return nil, err
	}
	return &Predictor{labels: r.Config.Classes, notes: r.Notes(), model: model}, nil
}

// Labels are the classes, in the order of probabilities.
func (p *Predictor) Labels() []string { return slices.Clone(p.labels) }

// Notes are sentences that whoever reads predictions must know, such as that no
// pretrained weights were used.
func (p *Predictor) Notes() []string { return slices.Clone(p.notes) }

// Close ends the session.
func (p *Predictor) Close() error { return p.model.Close() }

// Image returns the probability of every class, in the order of Labels.
func (p *Predictor) Image(ctx context.Context, im preprocess.Image) ([]float32, error) {
	logits := make([]float32, len(p.labels))
	if err := p.model.classify(ctx, []preprocess.Image{p.model.prepare(im)}, logits); err != nil {
		return nil, err
	}
	return fit.Probabilities(logits, len(logits)), nil
}

// Score is one class's probability.
type Score struct {
	Label       string  `json:"label"`
	Probability float32 `json:"probability"`
}

// Prediction is what is said of one file: scores, most probable first (of equal
// ones, in the order of the classes), or why there are none.
type Prediction struct {
	Image  string  `json:"image"`
	Label  string  `json:"label,omitempty"`
	Scores []Score `json:"scores,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// File classifies one image file. A file that is missing, a folder or no image
// is an error that names it.
func (p *Predictor) File(ctx context.Context, path string) (Prediction, error) {
	out := Prediction{Image: path}
	im, err := readImage(path)
	if err == nil {
		var probs []float32
		if probs, err = p.Image(ctx, im); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		} else {
			out.Scores = rank(p.labels, probs)
			out.Label = out.Scores[0].Label
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out, err
}

// Files classifies files one after the other and tells each of them as it is
// done, with the top most probable classes (0: all). A file that fails does not
// stop the rest; the error then counts the failures. The list is nil when the
// work was broken off.
func (p *Predictor) Files(ctx context.Context, paths []string, top int, each func(Prediction)) ([]Prediction, error) {
	list := []Prediction{}
	failed := 0
	for _, path := range paths {
		one, err := p.File(ctx, path)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			failed++
		}
		if top > 0 && top < len(one.Scores) {
			one.Scores = one.Scores[:top]
		}
		list = append(list, one)
		each(one)
	}
	if failed > 0 {
		return list, fmt.Errorf("%d of %d files could not be classified", failed, len(paths))
	}
	return list, nil
}

func readImage(path string) (preprocess.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return preprocess.Image{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return preprocess.Image{}, fmt.Errorf("%s is a folder, want an image file", path)
	}
	im, err := preprocess.Decode(f)
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
	slices.SortStableFunc(out, func(a, b Score) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	return out
}
