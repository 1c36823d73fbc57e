package finetune

import (
	"context"
	"errors"
	"fmt"

	"graft/finetune/fit"
	"graft/preprocess"
	"graft/pretrained"
)

// pipeline is a head's run: a backbone's session and the head.
type pipeline struct {
	run      *Run
	backbone *pretrained.Backbone
	head     *fit.Evaluator
}

func openPipeline(r *Run, o PredictorOptions) (*pipeline, error) {
	path, err := findModel(o.Model, r.Config.Backbone.SHA256, r.modelPlaces())
	if err != nil {
		return nil, err
	}
	foreign, err := r.foreign(o.Foreign)
	if err != nil {
		return nil, err
	}
	b, err := pretrained.Open(path, pretrained.Options{Runtime: o.Runtime, Foreign: foreign, Taps: r.Config.Head.Taps})
	if err != nil {
		return nil, err
	}
	if had, want := b.Preprocessing(), r.Config.Backbone.Preprocessing; had != want {
		return nil, errors.Join(fmt.Errorf("backbone %s: preprocessing differs from what run %s was trained with:\n  had   %s\n  wants %s",
			path, r.Dir, had, want), b.Close())
	}
	for _, tap := range r.Config.Head.Taps {
		if had, want := b.Dim(tap), r.Config.Backbone.Dims[tap]; had != want {
			return nil, errors.Join(fmt.Errorf("backbone %s: tap %s has %d features, the run wants %d", path, tap, had, want), b.Close())
		}
	}
	e, err := r.evaluator(1, o.Runtime.Threads)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &pipeline{r, b, e}, nil
}

func (p *pipeline) Close() error { return p.backbone.Close() }

// classify averages the logits of the image and of its mirror where the run
// does.
func (p *pipeline) classify(ctx context.Context, im preprocess.Image, probs []float32) error {
	c := p.run.Config
	batch := []preprocess.Image{p.backbone.Prepare(im)}
	if c.Head.UseFlip {
		batch = append(batch, batch[0].Mirror())
	}
	out := make([][]float32, len(c.Head.Taps))
	for t, tap := range c.Head.Taps {
		out[t] = make([]float32, len(batch)*c.Backbone.Dims[tap])
	}
	if err := p.backbone.Run(ctx, batch, c.Head.Taps, out); err != nil {
		return err
	}
	sides := make([][]float32, 2)
	for i := range batch {
		for _, tap := range out {
			d := len(tap) / len(batch)
			sides[i] = append(sides[i], tap[i*d:(i+1)*d]...)
		}
	}
	logits, err := p.head.Logits(ctx, fit.Features{X: sides[0], Mirrored: sides[1], Dim: c.Head.Dim}, nil)
	if err != nil {
		return err
	}
	copy(probs, fit.Probabilities(logits, len(probs)))
	return nil
}

// evaluator is the run's network with its weights, for batches of a size.
func (r *Run) evaluator(batch, threads int) (*fit.Evaluator, error) {
	e, err := fit.NewEvaluator(r.Net, batch, threads)
	if err != nil {
		return nil, err
	}
	return e, e.Use(r.Weights)
}

// network is the run of a cnn or vit as a classifier; it needs no ONNX Runtime.
type network struct {
	run *Run
	net *fit.Evaluator
}

func openNetwork(r *Run, o PredictorOptions) (*network, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("run %s is a %s and has no backbone; leave out the settings for one", r.Dir, r.Config.Kind)
	}
	e, err := r.evaluator(1, o.Runtime.Threads)
	return &network{r, e}, err
}

func (n *network) Close() error { return nil }

func (n *network) classify(ctx context.Context, im preprocess.Image, probs []float32) error {
	p, shape := n.run.Config.Pixels, n.run.Net.InputShape()
	pixels := fit.NewPixels(1, shape[0], p.Side, p.kept(shape))
	if err := pixels.Set(0, fitImage(im, shape[0], p.Side)); err != nil {
		return err
	}
	samples, err := pixels.Plain([]int{0}, shape[1], p.Mirror)
	if err != nil {
		return err
	}
	logits, err := n.net.Logits(ctx, samples, nil)
	if err != nil {
		return err
	}
	copy(probs, fit.Probabilities(logits, len(probs)))
	return nil
}
