package demo

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"path/filepath"
	"slices"
	"strings"

	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/finetune/run"
	"graft/finetune/ship"
	"graft/finetune/train"
	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/taps"
)

// shardRows is how much an interrupted demo may have to do again: some seconds
// of the default's work.
const shardRows = 512

// extract writes the embeddings, or goes on with them.
func (j *job) extract(ctx context.Context, d *dataset.Dataset) (err error) {
	o := pretrained.Options{Runtime: j.Runtime}
	o.Runtime.Throughput = true
	if o.Runtime.Provider, err = extract.Provider(j.result.Embeddings, o.Runtime.Provider); err != nil {
		return err
	}
	b, err := pretrained.Open(ctx, j.result.Backbone, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	words := j.Taps
	if len(words) == 0 {
		words = taps.Last(b.Taps())
	}
	j.result.Source, j.result.Pretrained = b.Source(), run.Pretrained(b.Source())
	j.say("embeddings", "%s on %s", strings.Join(words, ","), b.Provider())
	s, err := extract.Run(ctx, extract.Config{
		Data: d, Backbone: b, Out: j.result.Embeddings, Taps: words, Limit: j.Limit, Batch: j.Batch, ShardRows: shardRows,
		SkipBad: j.Data.SkipBad, Checked: j.Progress("checking earlier files (files)"),
	}, j.Progress("extracting (images)"))
	if err != nil {
		return err
	}
	if s.Resumed > 0 {
		j.tell("from an earlier run: %s", plural.Of(s.Resumed, "image"))
	}
	j.tell("%s: %s, %.1f images/s", s.Store, plural.Of(s.Rows, "row"), s.ImagesPerSecond)
	return nil
}

// train fits the head and prints its figures.
func (j *job) train(ctx context.Context, _ *dataset.Dataset) error {
	j.say("head", "logistic regression by L-BFGS, its strength chosen on a tenth of train")
	r, err := train.Head(ctx, train.HeadConfig{
		Embeddings: j.result.Embeddings, Out: j.result.Run, Model: j.result.Backbone,
		Seed: j.Seed, Force: true, Program: run.Program{Version: j.Version},
	}, train.Observer{Log: func(line string) { j.tell("%s", line) }})
	if err != nil {
		return err
	}
	j.result.Reports = r.Reports
	if j.mini {
		if err := j.add("frozen, linear head", j.result.Run); err != nil {
			return err
		}
	}
	for _, n := range r.Run.Config.Notes {
		if !slices.Contains(j.result.Notes, n) {
			j.result.Notes = append(j.result.Notes, n)
		}
	}
	j.tell("%s", j.result.Run)
	fmt.Fprintln(j.Output)
	if err := metrics.WriteTable(j.Output, r.Reports...); err != nil {
		return err
	}
	for _, n := range r.Run.Config.Notes {
		fmt.Fprintf(j.Output, "note: %s\n", n)
	}
	fmt.Fprintln(j.Output)
	return nil
}

// ship joins backbone and head.
func (j *job) ship(ctx context.Context, _ *dataset.Dataset) error {
	j.say("one file", "from pixels to probabilities")
	e, err := ship.Export(ctx, ship.Config{Run: j.result.Run, Model: j.result.Backbone, Out: j.result.Model, Version: j.Version})
	if err != nil {
		return err
	}
	j.tell("%s: %s → %s", e.File, strings.Join(e.Inputs, "; "), strings.Join(e.Outputs, "; "))
	return ctx.Err()
}

// predict classifies one image that the head has not seen with the file shipped.
func (j *job) predict(ctx context.Context, d *dataset.Dataset) (err error) {
	at := unseen(d)
	sample := d.Samples[at]
	j.result.Truth = d.Classes[sample.Label]
	j.result.Image = filepath.Join(j.result.Folder, "image.png")
	j.say("prediction", "%s, a %s image of class %s", sample.ID, sample.Split, j.result.Truth)
	if err := writeImage(ctx, d, at, j.result.Image); err != nil {
		return err
	}
	p, err := model.Open(ctx, j.result.Model, model.Options{Runtime: j.Runtime})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if j.result.Prediction, err = p.File(ctx, j.result.Image); err != nil {
		return err
	}
	for _, s := range j.result.Prediction.Scores[:min(3, len(d.Classes))] {
		j.tell("%5.1f%% %s", 100*s.Probability, s.Label)
	}
	return nil
}

// unseen is the first sample that was not trained on, or the first of all.
func unseen(d *dataset.Dataset) int {
	return max(0, slices.IndexFunc(d.Samples, func(s dataset.Sample) bool { return s.Split != dataset.Train }))
}

// writeImage writes a sample as PNG, as a user would hand it in.
func writeImage(ctx context.Context, d *dataset.Dataset, at int, path string) error {
	im, err := d.Image(ctx, at)
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := png.Encode(f, im.ToImage()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Commit()
}
