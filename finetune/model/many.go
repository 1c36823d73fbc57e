package model

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"graft/finetune/fit"
	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/preprocess"
	"graft/pretrained/detect"
)

// Labels that are no classes: of an image of which no class is probable enough, and of a photograph in which no face was found.
const (
	Unsure = "unsure"
	NoFace = "no face"
)

// EachOptions say what is made of pictures.
type EachOptions struct {
	Threshold float64          // in [0,1]; the label is Unsure where no probability reaches it
	Faces     *detect.Detector // finds the faces, of which each is classified; nil: pictures are classified as they are
}

// Item is a picture on its way: its images as the network takes them, which are itself or its faces, or why it could not be
// read.
type Item struct {
	Name   string
	Images []preprocess.Image
	Faces  []detect.Face // of the images, nil where these are no faces
	Err    error
}

// Each classifies pictures, batch after batch: while one is in the network, the next is read on all cores. each is told of
// every picture, in order: one prediction, or with o.Faces one for each face, and of a picture without any one whose label is
// NoFace. One that could not be read does not stop the rest, an error of each does.
func (p *Predictor) Each(ctx context.Context, pictures []Picture, o EachOptions, each func([]Prediction) error) error {
	passes := make(chan []Item, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(passes)
		return p.read(ctx, pictures, o.Faces, passes)
	})
	g.Go(func() error {
		for pass := range passes {
			probs, err := p.classify(ctx, pass)
			if err != nil {
				return err
			}
			for _, one := range pass {
				n := len(one.Images) * len(p.labels)
				if err := each(p.Predictions(one, probs[:n], o.Threshold)); err != nil {
					return err
				}
				probs = probs[n:]
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// read decodes and prepares the pictures.
func (p *Predictor) read(ctx context.Context, pictures []Picture, faces *detect.Detector, passes chan<- []Item) error {
	size := max(p.BatchSize(), 1)
	for from := 0; from < len(pictures); from += size {
		part := pictures[from:min(from+size, len(pictures))]
		pass := make([]Item, len(part))
		err := parallel.For(ctx, len(part), nil, func(i int) error {
			pass[i] = p.Item(ctx, part[i], faces)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		select {
		case passes <- pass:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Item reads a picture, or its faces, for Probabilities.
func (p *Predictor) Item(ctx context.Context, picture Picture, faces *detect.Detector) Item {
	one := Item{Name: picture.Name}
	im, err := picture.Read(ctx)
	if err == nil && faces != nil {
		if one.Faces, err = faces.Faces(ctx, im); err != nil {
			err = fmt.Errorf("%s: %w", picture.Name, err)
		}
		for _, f := range one.Faces {
			one.Images = append(one.Images, p.Prepare(detect.Crop(im, f)))
		}
	} else if err == nil {
		one.Images = []preprocess.Image{p.Prepare(im)}
	}
	one.Err = err
	return one
}

// classify gives the probabilities of all images of a pass, one after another.
func (p *Predictor) classify(ctx context.Context, pass []Item) ([]float32, error) {
	var images []preprocess.Image
	for _, one := range pass {
		images = append(images, one.Images...)
	}
	probs, err := p.Probabilities(ctx, images)
	if err != nil {
		return nil, fmt.Errorf("%s from %s on: %w", plural.Of(len(pass), "image"), pass[0].Name, err)
	}
	return probs, nil
}

// Probabilities are those of images that have been through Prepare, [len(images),classes], in the order of Labels.
func (p *Predictor) Probabilities(ctx context.Context, images []preprocess.Image) ([]float32, error) {
	logits := make([]float32, len(images)*len(p.labels))
	if len(images) > 0 {
		if err := p.Classify(ctx, images, logits); err != nil {
			return nil, err
		}
	}
	return fit.Probabilities(fit.Cool(logits, p.temperature), len(p.labels)), nil
}

// finite refuses a row of probabilities that are none: the network overflowed, or has weights that are no numbers.
func finite(row []float32) error {
	for _, v := range row {
		if v != v {
			return errors.New("the network's logits are not finite numbers, so that no class is the most probable one")
		}
	}
	return nil
}

// Predictions are those of a picture, whose images have the probabilities, [len(one.Images),classes]; see [Predictor.Each].
func (p *Predictor) Predictions(one Item, probs []float32, threshold float64) []Prediction {
	switch {
	case one.Err != nil:
		return []Prediction{{Image: one.Name, Error: one.Err.Error()}}
	case len(one.Images) == 0:
		return []Prediction{{Image: one.Name, Label: NoFace}}
	}
	list := make([]Prediction, len(one.Images))
	for i := range list {
		l := &list[i]
		l.Image = one.Name
		if one.Faces != nil {
			l.Face = &one.Faces[i]
		}
		row := probs[i*len(p.labels) : (i+1)*len(p.labels)]
		if err := finite(row); err != nil {
			l.Error = fmt.Sprintf("%s: %v", one.Name, err)
			continue
		}
		l.score(p.labels, row)
		if float64(l.Scores[0].Probability) < threshold {
			l.Label = Unsure
		}
	}
	return list
}
