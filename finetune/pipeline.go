package finetune

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

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

func openPipeline(r *Run, o PredictorOptions, batch int) (*pipeline, error) {
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
	e, err := r.evaluator(batch, o.Runtime.Threads)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &pipeline{r, b, e}, nil
}

func (p *pipeline) Close() error { return p.backbone.Close() }

func (p *pipeline) prepare(im preprocess.Image) preprocess.Image { return p.backbone.Prepare(im) }

// classify averages the logits of the images and of their mirror images where
// the run does.
func (p *pipeline) classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	f := fit.Features{Dim: p.run.Config.Head.Dim}
	var err error
	if f.X, err = p.features(ctx, images); err != nil {
		return err
	}
	if p.run.Config.Head.UseFlip {
		mirrored := make([]preprocess.Image, len(images))
		for i, im := range images {
			mirrored[i] = im.Mirror()
		}
		if f.Mirrored, err = p.features(ctx, mirrored); err != nil {
			return err
		}
	}
	out, err := p.head.Logits(ctx, f, nil)
	copy(logits, out)
	return err
}

// features is [len(images),Dim], the taps side by side.
func (p *pipeline) features(ctx context.Context, images []preprocess.Image) ([]float32, error) {
	c := p.run.Config
	out := make([][]float32, len(c.Head.Taps))
	for t, tap := range c.Head.Taps {
		out[t] = make([]float32, len(images)*c.Backbone.Dims[tap])
	}
	err := inPieces(ctx, len(images), p.backbone.Streams(), func(ctx context.Context, lo, hi int) error {
		part := make([][]float32, len(out))
		for t, tap := range c.Head.Taps {
			d := c.Backbone.Dims[tap]
			part[t] = out[t][lo*d : hi*d]
		}
		return p.backbone.Run(ctx, images[lo:hi], c.Head.Taps, part)
	})
	if err != nil {
		return nil, err
	}
	x := make([]float32, 0, len(images)*c.Head.Dim)
	for i := range images {
		for _, tap := range out {
			d := len(tap) / len(images)
			x = append(x, tap[i*d:(i+1)*d]...)
		}
	}
	return x, nil
}

func (p *pipeline) atOnce(perInference int) int {
	return cmp.Or(perInference, p.backbone.DefaultBatch()) * p.backbone.Streams()
}

// inPieces cuts n rows into up to so many pieces of about equal length, and runs
// these at once.
func inPieces(ctx context.Context, n, pieces int, run func(ctx context.Context, lo, hi int) error) error {
	pieces = min(n, pieces)
	if pieces < 2 {
		return run(ctx, 0, n)
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range pieces {
		g.Go(func() error { return run(ctx, i*n/pieces, (i+1)*n/pieces) })
	}
	return g.Wait()
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

func openNetwork(r *Run, o PredictorOptions, batch int) (*network, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("run %s is a %s and has no backbone; leave out the settings for one", r.Dir, r.Config.Kind)
	}
	e, err := r.evaluator(batch, o.Runtime.Threads)
	return &network{r, e}, err
}

func (n *network) Close() error { return nil }

func (n *network) atOnce(perInference int) int { return cmp.Or(perInference, nativeBatch) }

func (n *network) prepare(im preprocess.Image) preprocess.Image {
	return fitImage(im, n.run.Net.InputShape()[0], n.run.Config.Pixels.Side)
}

func (n *network) classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	p, shape := n.run.Config.Pixels, n.run.Net.InputShape()
	pixels := fit.NewPixels(len(images), shape[0], p.Side, p.kept(shape))
	for i, im := range images {
		if err := pixels.Set(i, im); err != nil {
			return err
		}
	}
	samples, err := pixels.Plain(all(len(images)), shape[1], p.Mirror)
	if err != nil {
		return err
	}
	out, err := n.net.Logits(ctx, samples, nil)
	copy(logits, out)
	return err
}
