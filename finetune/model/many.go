package model

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"graft/finetune/fit"
	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/preprocess"
)

// Unsure is the label of an image of which no class is probable enough.
const Unsure = "unsure"

// pass is a batch of pictures on its way, images or why they could not be read.
type pass struct {
	names  []string
	images []preprocess.Image
	errs   []error
}

// Each classifies pictures, batch after batch: while one is in the network, the next is read on all cores. each is told of
// every picture, in order; one that could not be read does not stop the rest, an error of each does. The label is Unsure
// where no probability reaches the threshold, in [0,1].
func (p *Predictor) Each(ctx context.Context, pictures []Picture, threshold float64, each func(Prediction) error) error {
	passes := make(chan pass, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(passes)
		return p.read(ctx, pictures, passes)
	})
	g.Go(func() error {
		for one := range passes {
			list, err := p.classify(ctx, one)
			if err != nil {
				return err
			}
			for _, l := range list {
				if len(l.Scores) > 0 && float64(l.Scores[0].Probability) < threshold {
					l.Label = Unsure
				}
				if err := each(l); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// read decodes and prepares the pictures.
func (p *Predictor) read(ctx context.Context, pictures []Picture, passes chan<- pass) error {
	size := max(p.BatchSize(), 1)
	for from := 0; from < len(pictures); from += size {
		part := pictures[from:min(from+size, len(pictures))]
		one := pass{make([]string, len(part)), make([]preprocess.Image, len(part)), make([]error, len(part))}
		err := parallel.For(ctx, len(part), nil, func(i int) error {
			one.names[i] = part[i].Name
			im, err := part[i].Read(ctx)
			if err == nil {
				im = p.Prepare(im)
			}
			one.images[i], one.errs[i] = im, err
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		select {
		case passes <- one:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// classify makes predictions of a batch.
func (p *Predictor) classify(ctx context.Context, one pass) ([]Prediction, error) {
	var good []preprocess.Image
	for i, err := range one.errs {
		if err == nil {
			good = append(good, one.images[i])
		}
	}
	classes := len(p.labels)
	logits := make([]float32, len(good)*classes)
	if len(good) > 0 {
		if err := p.Classify(ctx, good, logits); err != nil {
			return nil, fmt.Errorf("%s from %s on: %w", plural.Of(len(one.names), "image"), one.names[0], err)
		}
	}
	probs := fit.Probabilities(fit.Cool(logits, p.temperature), classes)
	list := make([]Prediction, len(one.names))
	for i, name := range one.names {
		list[i].Image = name
		if err := one.errs[i]; err != nil {
			list[i].Error = err.Error()
			continue
		}
		list[i].score(p.labels, probs[:classes])
		probs = probs[classes:]
	}
	return list, nil
}
