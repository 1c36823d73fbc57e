package train

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// heads is a store's train split, read for one head or several.
type heads struct {
	c        HeadConfig
	store    features
	features load.Features
	measured *head.Measured // of all of them
}

func (t HeadTraining) read(ctx context.Context) (h heads, err error) {
	h = heads{c: t.c, measured: &head.Measured{}}
	if h.store, err = openStore(ctx, t.c.Embeddings, t.c.Taps, t.c.Model); err == nil && t.c.GroupBy != "" {
		err = h.store.GroupBy(t.c.GroupBy)
	}
	if err == nil {
		h.features, err = load.ReadFeatures(h.store.Store, h.store.taps, dataset.Train, t.c.UseFlip)
	}
	return h, err
}

func (h heads) images() (run.Rows, int) {
	_, rows := h.features.Examples()
	return rows, len(h.store.Classes())
}

func (h heads) settings() (map[string]string, error) {
	s := map[string]string{"embeddings": h.store.manifest, "taps": strings.Join(h.store.taps, ","), "use flip": strconv.FormatBool(h.c.UseFlip),
		"recipe": h.c.Recipe, "class weights": h.c.ClassWeights, "logit adjustment": fmt.Sprint(h.c.LogitAdjust)}
	if h.c.GroupBy != "" {
		s["group by"] = h.c.GroupBy
	}
	if h.c.Lambda != nil {
		s["lambda"] = fmt.Sprint(*h.c.Lambda)
	}
	if h.c.Descent == nil {
		return s, nil
	}
	return s, errors.Join(h.c.Descent.settings(s), flatten(s, h.c.Descent.Net))
}

func (h heads) train(ctx context.Context, p part, o Observer) (Result, error) {
	c, s, classes := h.c, h.store, h.store.Classes()
	how := run.HeadRecord{Recipe: c.Recipe, Taps: s.taps, UseFlip: c.UseFlip, GroupBy: c.GroupBy, ClassWeights: c.ClassWeights, LogitAdjust: c.LogitAdjust}
	source := load.Source(load.Store{Store: s.Store, Head: how})
	judged, f, measured := source, h.features, h.measured
	if p.fold != "" {
		samples, rows := f.At(p.held).Examples()
		fold, err := load.NewFold(source, p.fold, samples, rows)
		if err != nil {
			return Result{}, err
		}
		judged, f, measured = fold, f.At(p.rest), nil
	}
	var out fitted
	var err error
	if c.Descent == nil {
		out, err = fitLBFGS(ctx, f, f.Apart(), classes, lbfgs{c.Lambda, c.Imbalance, p.seed, c.Threads, measured}, o)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = run.StartFolder(p.folder)
		}
	} else {
		out, err = h.descend(ctx, f, source, p, o)
	}
	if err != nil {
		return Result{}, fmt.Errorf("train head on %s: %w", s.Dir(), err)
	}
	r := &run.Run{Dir: p.folder, Config: s.describe(c.Program, p.seed, out.record(how), f.AbsentClasses(classes))}
	r.Config.Fold = p.fold
	_, rows := f.Examples()
	return finish(ctx, r, out, rows, judged, c.Threads, o)
}

// descend trains by gradient descent on features that are all of train or what a fold
// leaves of it.
func (h heads) descend(ctx context.Context, f load.Features, watched load.Source, p part, o Observer) (fitted, error) {
	x, rows := f.Examples()
	d, s := *h.c.Descent, h.store
	d.Fit.Seed = p.seed
	l := headTask(d, x, rows.Labels, rows.Apart(), s.Classes())
	l.record.Recipe, l.watched, l.place = h.c.Recipe, watched, p.place
	l.identity = map[string]string{"embeddings": s.manifest, "taps": strings.Join(s.taps, ","),
		"use flip": strconv.FormatBool(h.c.UseFlip), "holdout": fmt.Sprint(d.Holdout)}
	for what, is := range map[string]string{"fold": p.fold, "group by": h.c.GroupBy} {
		if is != "" {
			l.identity[what] = is
		}
	}
	o.training(len(l.labels), x.Dim, len(s.Classes()), h.c.Recipe)
	return l.learn(ctx, o)
}

// headTask is a head with the features [n,D] and labels [n] that it learns from, whatever
// store they are of; rows whose groups [n] are equal stay together, nil takes each by itself.
func headTask(d HeadDescent, x fit.Features, labels, groups []int, classes []string) task {
	net := d.Net
	net.Features, net.Outputs = x.Dim, len(classes)
	l := task{Descent: d.Descent, net: net, classes: classes, labels: labels, groups: groups}
	if net.Standardize {
		l.start = func(rows []int) (start map[string][]float32, err error) {
			start = nets.Init(net, d.Fit.Seed)
			start[nets.FeatureMean], start[nets.FeatureStd], err = head.Moments(x.X, x.Dim, rows, d.Fit.Threads)
			return start, err
		}
	}
	l.data = func(rows []int) (fit.Data, error) {
		return fit.NewFeatures(x, rows, fit.OneHot(labels, len(classes)), len(classes), d.Fit.Seed)
	}
	l.samples = func(rows []int) (fit.Examples, error) { return x.Rows(rows), nil }
	return l
}
