package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/parallel"
	"graft/onnx"
	"graft/preprocess"
	"graft/pretrained"
)

// backboneHead is the run of a head, or of a tuned backbone: the backbone's session and the head.
type backboneHead struct {
	batches
	run      *run.Run
	backbone *pretrained.Backbone
	head     *fit.Evaluator
}

func openHead(ctx context.Context, r *run.Run, o Options, batch int) (*backboneHead, error) {
	file, err := load.Backbone(ctx, r, o.Model)
	if err != nil {
		return nil, err
	}
	foreign, err := Foreign(r, o.Foreign)
	if err != nil {
		return nil, err
	}
	if r.Config.Kind == nets.KindBackbone {
		file = file.Changed(hashOf(r.Weights), func(m *onnx.Model) error { return Tune(r, m) })
	}
	b, err := file.Open(ctx, pretrained.Options{Runtime: o.Runtime, Foreign: foreign, Taps: r.Config.Head.Taps})
	if err != nil {
		return nil, err
	}
	if had, want := b.Preprocessing(), r.Config.Backbone.Preprocessing; had != want {
		return nil, errors.Join(fmt.Errorf("backbone %s: preprocessing differs from what run %s was trained with:\n  had   %v\n  wants %v",
			file.Path, r.Dir, had, want), b.Close())
	}
	for _, tap := range r.Config.Head.Taps {
		if had, want := b.Dim(tap), r.Config.Backbone.Dims[tap]; had != want {
			return nil, errors.Join(fmt.Errorf("backbone %s: tap %s has %d features, the run wants %d", file.Path, tap, had, want), b.Close())
		}
	}
	e, err := Evaluator(r, cmp.Or(batch, nativeBatch), o.Runtime.Threads)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &backboneHead{batches{cmp.Or(batch, b.DefaultBatch()), b.Streams()}, r, b, e}, nil
}

func (p *backboneHead) Close() error { return p.backbone.Close() }

func (p *backboneHead) Prepare(im preprocess.Image) preprocess.Image { return p.backbone.Prepare(im) }

// Classify averages the logits of the images and of their mirror images where
// the run does.
func (p *backboneHead) Classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
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
func (p *backboneHead) features(ctx context.Context, images []preprocess.Image) ([]float32, error) {
	c := p.run.Config
	out := make([][]float32, len(c.Head.Taps))
	for t, tap := range c.Head.Taps {
		out[t] = make([]float32, len(images)*c.Backbone.Dims[tap])
	}
	err := p.each(ctx, len(images), func(lo, hi int) error {
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

// Foreign is the description of the run's backbone: nil for one that graft
// exported, and the recorded one for others, so that predict and export need not be
// told again. What was given must not say otherwise: other pixels than the head was
// trained on would still give answers.
func Foreign(r *run.Run, given *preprocess.Spec) (*preprocess.Spec, error) {
	recorded := r.Config.Backbone.Preprocessing
	if !recorded.Host {
		if given != nil {
			return nil, fmt.Errorf("the run's backbone: %w", pretrained.ErrDescribed)
		}
		return nil, nil
	}
	if given != nil {
		want := *given
		want.Host, want.Filter, want.Channels = true, recorded.Filter, recorded.Channels
		want.Size, want.Crop, want.Output = cmp.Or(want.Size, recorded.Size), cmp.Or(want.Crop, 1), cmp.Or(want.Output, recorded.Output)
		if want != recorded {
			return nil, fmt.Errorf("the settings for the foreign backbone differ from those of its features; leave them out (recorded: %v)", recorded)
		}
	}
	return &recorded, nil
}

// Feature is a tap that the head reads, and how many numbers it is.
type Feature struct {
	Tap string `json:"tap"`
	Dim int    `json:"dim"`
}

// Embedder is a Classifier whose features can be told.
type Embedder interface {
	// Features are what the model's head reads of a backbone, side by side in this order in a row of Embed.
	Features() []Feature
	// Embed is the features of images that have been through Prepare, a row each.
	Embed(ctx context.Context, images []preprocess.Image) ([][]float32, error)
}

// Embedder tells the features that the model's head reads of a backbone; nil of models without one, and of files in which
// the two are joined.
func (p *Predictor) Embedder() Embedder {
	e, _ := p.Classifier.(Embedder)
	return e
}

// Features implements Embedder.
func (p *backboneHead) Features() (list []Feature) {
	for _, tap := range p.run.Config.Head.Taps {
		list = append(list, Feature{tap, p.run.Config.Backbone.Dims[tap]})
	}
	return list
}

// Embed implements Embedder.
func (p *backboneHead) Embed(ctx context.Context, images []preprocess.Image) ([][]float32, error) {
	x, err := p.features(ctx, images)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(x, p.run.Config.Head.Dim)), nil
}

// batches are how many images go into an inference, and how many inferences run at
// once. Which images share one does not depend on the latter.
type batches struct{ images, atOnce int }

func (p batches) BatchSize() int { return p.images * p.atOnce }

// each runs n images in batches.
func (p batches) each(ctx context.Context, n int, run func(lo, hi int) error) error {
	return parallel.ForOn(ctx, p.atOnce, (n+p.images-1)/p.images, nil, func(i int) error {
		return run(i*p.images, min((i+1)*p.images, n))
	})
}
