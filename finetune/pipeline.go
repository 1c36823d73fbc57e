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
	pieces
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
	e, err := r.evaluator(cmp.Or(batch, nativeBatch), o.Runtime.Threads)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &pipeline{pieces{cmp.Or(batch, b.DefaultBatch()), b.Streams()}, r, b, e}, nil
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
	err := p.each(ctx, len(images), func(ctx context.Context, lo, hi int) error {
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

// pieces is how many images go into an inference, and how many inferences run at
// once. Which images share one does not depend on the latter.
type pieces struct{ images, atOnce int }

func (p pieces) together() int { return p.images * p.atOnce }

// each runs n images in pieces.
func (p pieces) each(ctx context.Context, n int, run func(ctx context.Context, lo, hi int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.atOnce)
	for lo := 0; lo < n; lo += p.images {
		g.Go(func() error { return run(ctx, lo, min(lo+p.images, n)) })
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
	run   *Run
	net   *fit.Evaluator
	batch int
}

func openNetwork(r *Run, o PredictorOptions, batch int) (*network, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("run %s is a %s and has no backbone; leave out the settings for one", r.Dir, r.Config.Kind)
	}
	batch = cmp.Or(batch, nativeBatch)
	e, err := r.evaluator(batch, o.Runtime.Threads)
	return &network{r, e, batch}, err
}

func (n *network) Close() error { return nil }

func (n *network) together() int { return n.batch }

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
