package model

import (
	"cmp"
	"context"
	"fmt"
	"graft/finetune/fit"
	"graft/finetune/load"
	"graft/finetune/run"
	"graft/preprocess"
)

// Evaluator is the run's network with its weights, or that of its head, for batches of a size.
func Evaluator(r *run.Run, batch, threads int) (*fit.Evaluator, error) {
	net, weights := Head(r)
	e, err := fit.NewEvaluator(net, batch, threads)
	if err != nil {
		return nil, err
	}
	return e, e.Use(weights)
}

// network is the run of a cnn or vit as a classifier; it needs no ONNX Runtime.
type network struct {
	run   *run.Run
	net   *fit.Evaluator
	batch int
}

func openNetwork(r *run.Run, o Options, batch int) (*network, error) {
	if o.Model != "" || o.Foreign != nil {
		return nil, fmt.Errorf("run %s is a %s and has no backbone; leave out the settings for one", r.Dir, r.Config.Kind)
	}
	batch = cmp.Or(batch, nativeBatch)
	e, err := Evaluator(r, batch, o.Runtime.Threads)
	return &network{r, e, batch}, err
}

func (n *network) Close() error { return nil }

func (n *network) BatchSize() int { return n.batch }

func (n *network) Prepare(im preprocess.Image) preprocess.Image {
	return load.FitImage(im, n.run.Config.Net.InputShape()[0], n.run.Config.Pixels.Side)
}

func (n *network) Classify(ctx context.Context, images []preprocess.Image, logits []float32) error {
	p, shape := n.run.Config.Pixels, n.run.Config.Net.InputShape()
	pixels := fit.NewPixels(len(images), shape[0], p.Side, p.Kept(shape))
	for i, im := range images {
		if err := pixels.Set(i, im); err != nil {
			return err
		}
	}
	samples, err := pixels.Plain(nil, shape[1], p.Mirror)
	if err != nil {
		return err
	}
	out, err := n.net.Logits(ctx, samples, nil)
	copy(logits, out)
	return err
}
