package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/plural"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// networks is a dataset's train split, read for one network or several.
type networks struct {
	c           NetConfig
	net         nets.Net
	source      load.Images
	fingerprint string
	pixels      *fit.Pixels
	rows        run.Rows
	targets     []float32 // [rows,classes]
}

// reading opens the dataset, reads its train split and has it used.
func (t NetTraining) reading(ctx context.Context, o Observer, use func(networks) error) (err error) {
	c := t.c
	c.Data.Verify = c.Data.SkipBad // so that bad files are left out too
	d, err := dataset.Open(ctx, c.Data, o.Progress.Of("reading "+c.Data.Name()+" (bytes)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, line := range slices.Concat(d.Warnings, load.LeftOut(d)) {
		o.log("%s", line)
	}
	n, err := c.read(ctx, d, o)
	if err == nil {
		err = logTable(n.net, o)
	}
	if err != nil {
		return fmt.Errorf("train %s on %s: %w", c.Net.Kind(), d.Path, err)
	}
	return use(n)
}

// read reads the training images.
func (c NetConfig) read(ctx context.Context, d *dataset.Dataset, o Observer) (n networks, err error) {
	n = networks{c: c}
	if n.net, err = nets.ForClasses(c.Net, len(d.Classes)); err != nil {
		return n, err
	}
	if n.fingerprint, err = d.Fingerprint(ctx); err != nil {
		return n, err
	}
	n.source = load.Images{Dataset: d, Shape: n.net.InputShape(), Pixels: c.Pixels, Limit: c.Limit}
	if n.pixels, n.rows, err = n.source.Read(ctx, dataset.Train, o.Progress.Of("preparing (images)")); err != nil {
		return n, err
	}
	n.rows.Groups = duplicate.Groups(n.rows.Contents)
	n.targets, err = softTargets(d, n.rows, c.SoftLabels)
	return n, err
}

func (n networks) images() (run.Rows, int) { return n.rows, n.net.Classes() }

func (n networks) settings() (map[string]string, error) {
	s := n.c.identity(n.fingerprint)
	s["recipe"], s["kind"] = n.c.Recipe, n.net.Kind()
	return s, errors.Join(n.c.Descent.settings(s), flatten(s, n.net))
}

func (n networks) train(ctx context.Context, p part, o Observer) (Result, error) {
	l, rows, judged, err := n.task(p)
	if err != nil {
		return Result{}, err
	}
	c, d := n.c, n.source
	o.log("training on %s, %s, recipe %s", plural.Of(len(l.labels), "image"), plural.Of(len(d.Classes), "class"), c.Recipe)
	learned, err := l.learn(ctx, o)
	if err != nil {
		return Result{}, fmt.Errorf("train %s on %s: %w", n.net.Kind(), d.Path, err)
	}
	r := &run.Run{Dir: p.folder, Config: run.NewConfig(n.net.Kind(), c.Program, p.seed, d.Classes)}
	r.Config.Fold, r.Config.Pixels = p.fold, new(c.Pixels)
	r.Config.Dataset = run.DatasetRecord{Name: d.Name(), Fingerprint: n.fingerprint, Limit: c.Limit, LeftOut: d.Bad, Ref: c.Data.Recorded()}
	r.Config.Notes = rows.AbsentClasses(d.Classes)
	return finish(ctx, r, learned, rows, judged, c.Fit.Threads, o)
}

// task is the part with the rows of train that it learns from, and what it is judged on.
func (n networks) task(p part) (l task, rows run.Rows, judged load.Source, err error) {
	c, classes, side := n.c, n.net.Classes(), n.net.InputShape()[1]
	c.Fit.Seed = p.seed
	l = task{Descent: c.Descent, net: n.net, classes: n.source.Classes, labels: n.rows.Labels, groups: n.rows.Apart(), watched: n.source, place: p.place,
		record: run.TrainingRecord{Recipe: c.Recipe, Augment: c.Augment, SoftLabels: c.SoftLabels}}
	l.identity = c.identity(n.fingerprint)
	l.data = func(rows []int) (fit.Data, error) {
		return fit.NewImages(n.pixels, rows, n.targets, classes, c.Augment, p.seed)
	}
	l.samples = func(rows []int) (fit.Examples, error) { return n.pixels.Plain(rows, side, c.Pixels.Mirror) }
	if p.fold == "" {
		return l, n.rows, n.source, nil
	}
	held, err := l.samples(p.held)
	if err != nil {
		return l, rows, nil, err
	}
	l.identity["fold"] = p.fold
	judged, err = load.NewFold(n.source, p.fold, held, n.rows.At(p.held))
	return l.only(p.rest), n.rows.At(p.rest), judged, err
}

// identity is what decides the weights beside the network and its fit.
func (c NetConfig) identity(fingerprint string) map[string]string {
	out := map[string]string{
		"dataset": fingerprint, "limit": fmt.Sprint(c.Limit), "augmentation": c.Augment.String(), "soft labels": fmt.Sprint(c.SoftLabels),
		"holdout": fmt.Sprint(c.Holdout), "pixels": fmt.Sprintf("%+v", c.Pixels),
	}
	if c.Data.GroupBy != "" { // which draws hold-outs and folds
		out["group by"] = c.Data.GroupBy
	}
	return out
}
