package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/judge"
	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/plural"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// backbone is all that one fine-tuning or several need.
type backbone struct {
	c           BackboneConfig
	network     network
	data        *dataset.Dataset
	fingerprint string
	store       *store.Store
	inputs      inputs
	rows        run.Rows // of train
	targets     []float32
	head        *run.Run // to begin with, or nil
	held        []int    // rows that its training held out, ascending; nil: there are none
}

func (b backbone) images() (run.Rows, int) { return b.rows, len(b.data.Classes) }

func (b backbone) settings() (map[string]string, error) {
	s := b.identity()
	return s, b.c.Descent.settings(s)
}

// identity is what decides the weights beside the network and its fit.
func (b backbone) identity() map[string]string {
	c := b.c
	out := map[string]string{"kind": nets.KindBackbone, "backbone": b.network.hash, "dataset": b.fingerprint, "limit": fmt.Sprint(c.Limit), "cut": b.network.cut,
		"taps": strings.Join(b.network.tapNames(), ","), "views": fmt.Sprintf("%d by %s", c.Views, c.Augment), "use flip": fmt.Sprint(c.UseFlip),
		"soft labels": fmt.Sprint(c.SoftLabels), "holdout": fmt.Sprint(c.Holdout), "tuning": c.Tuning.identity(),
		"class weights": c.ClassWeights, "logit adjustment": fmt.Sprint(c.LogitAdjust)}
	before := ""
	if pair := b.network.about.Before; pair != nil {
		before = pair.SHA256
	}
	for what, is := range map[string]string{"group by": c.GroupBy, "head": c.Head, "frozen part": before} {
		if is != "" {
			out[what] = is
		}
	}
	return out
}

// train learns, judges and writes one run.
func (b backbone) train(ctx context.Context, p part, o Observer) (Result, error) {
	c := b.c
	c.Fit.Seed = p.seed
	l := task{Descent: c.Descent, classes: b.data.Classes, labels: b.rows.Labels, groups: b.rows.Apart(), held: b.held, watched: unwatched{}, place: p.place,
		record: run.TrainingRecord{Recipe: run.RecipeStrong, Augment: c.Augment, SoftLabels: c.SoftLabels}}
	l.identity = b.identity()
	rows := b.rows
	tail, err := b.tail()
	if err != nil {
		return Result{}, err
	}
	l.net = tail
	l.start = func(rows []int) (map[string][]float32, error) { return b.start(ctx, tail, rows, p.seed, o) }
	l.data = func(rows []int) (fit.Data, error) {
		return newDrawn(b.inputs, rows, b.targets, len(b.data.Classes), c.Augment.Mixup, p.seed)
	}
	l.samples = func(rows []int) (fit.Examples, error) { return judged{b.inputs, rows, b.fixedViews()}, nil }
	if p.fold != "" {
		l.identity["fold"] = p.fold
		l, rows = l.only(p.rest), rows.At(p.rest)
	}
	o.log("training %s behind %s and a head of %s, on %s of %s", plural.Of(nets.Parameters(tail), "parameter"), tail.Cut, plural.Of(tail.Head.Features, "feature"),
		plural.Of(len(l.labels), "image"), plural.Of(len(l.classes), "class"))
	learned, err := l.learn(ctx, o)
	if err != nil {
		return Result{}, fmt.Errorf("train backbone %s on %s: %w", c.Model, b.data.Path, err)
	}
	tail.Backbone = nil
	learned.net = tail
	r := &run.Run{Dir: p.folder, Config: b.describe(p, tail, rows)}
	runtime := c.Runtime
	runtime.Threads = c.Fit.Threads
	figures := func() ([]metrics.Report, error) {
		return judge.Pixels(ctx, r, b.data, judge.Config{Data: c.Data, Limit: c.Limit, Progress: o.Progress}, runtime, rows.Contents, pick(b.rows.Indices, p.held))
	}
	return complete(r, learned, rows, o, figures)
}

// fixedViews are those that images are judged by.
func (b backbone) fixedViews() []int {
	if b.c.UseFlip {
		return []int{0, 1}
	}
	return []int{0}
}

// tail is the network behind the cut with its head.
func (b backbone) tail() (nets.Tail, error) {
	n := b.network
	t, err := tailOf(n.model, n.cuts, n.cut, n.shape, n.taps, b.c.Tuning)
	if err != nil {
		return t, err
	}
	t.Head = nets.Head{Outputs: len(b.data.Classes), Standardize: b.c.Head != HeadNone}
	if b.head != nil {
		t.Head = b.head.Config.Net.(nets.Head)
	}
	t.Head.Features = 0
	for _, tap := range t.Taps {
		t.Head.Features += tap.Dim
	}
	return t, t.Check()
}

// start are the first weights: the network's own, and a head that was fitted to the taps of the rows trained on.
func (b backbone) start(ctx context.Context, t nets.Tail, rows []int, seed uint64, o Observer) (map[string][]float32, error) {
	if b.head != nil {
		return t.Start(b.head.Weights, seed)
	}
	if b.c.Head == HeadNone {
		zeros := map[string][]float32{}
		for _, w := range t.Head.Weights() {
			zeros[w.Name] = make([]float32, w.Size())
		}
		return t.Start(zeros, seed)
	}
	x, err := tapsOf(ctx, b.inputs, t, rows, b.fixedViews(), b.c.Fit.Threads, o)
	if err != nil {
		return nil, err
	}
	all := rows
	if b.c.UseFlip {
		all = slices.Concat(rows, rows)
	}
	f := load.Features{Rows: b.rows.At(all), X: x, Dim: t.Head.Features, Flip: b.c.UseFlip}
	head, err := fitLBFGS(ctx, f, f.Apart(), b.data.Classes, lbfgs{nil, b.c.Imbalance, seed, b.c.Fit.Threads, nil}, o)
	if err != nil {
		return nil, fmt.Errorf("the head's first fit: %w", err)
	}
	return t.Start(head.weights, seed)
}

// describe is the record of a run that learned from rows.
func (b backbone) describe(p part, t nets.Tail, rows run.Rows) run.Config {
	c, n := b.c, b.network
	config := run.NewConfig(nets.KindBackbone, c.Program, p.seed, b.data.Classes)
	config.Fold = p.fold
	config.Backbone = n.record(t)
	config.Head = run.HeadRecord{Recipe: run.RecipeStrong, Taps: n.tapNames(), Dim: t.Head.Features, Standardize: t.Head.Standardize, UseFlip: c.UseFlip,
		GroupBy: c.GroupBy, ClassWeights: c.ClassWeights, LogitAdjust: c.LogitAdjust, Samples: len(rows.Labels)}
	config.Dataset = run.DatasetRecord{Name: b.data.Name(), Fingerprint: b.fingerprint, Limit: c.Limit, LeftOut: b.data.Bad, Ref: c.Data.Recorded()}
	if pair := config.Backbone.Before; pair != nil {
		config.Notes = append(config.Notes, fmt.Sprintf("In training, %s (%s) ran before %s; judged and exported is %s from the pixels on.",
			filepath.Base(pair.Model), cmp.Or(pair.Precision, "its precision is not told"), t.Cut, filepath.Base(config.Backbone.Model)))
	}
	if note := run.RandomNote(config.Backbone.Source); note != "" {
		config.Notes = append(config.Notes, note)
	}
	config.Notes = append(config.Notes, rows.AbsentClasses(b.data.Classes)...)
	if b.head != nil && c.Holdout > 0 && b.held == nil {
		config.Notes = append(config.Notes, fmt.Sprintf("The head that training began with, %s, had seen the rows that were held out.", c.Head))
	}
	return config
}

// unwatched is a source without a split that training may watch.
type unwatched struct{ load.Source }

func (unwatched) Splits() load.Splits { return load.Splits{} }

// close closes all that was opened.
func (b backbone) close() error {
	var err error
	if b.inputs != nil {
		err = b.inputs.Close()
	}
	if b.network.model != nil {
		err = errors.Join(err, b.network.model.Close())
	}
	return errors.Join(err, b.data.Close())
}
