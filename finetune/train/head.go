// Package train makes runs: heads of the features in an embedding store, networks of a dataset's images, and runs of
// weights that were trained elsewhere.
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// HeadConfig says how to train a head. Only Embeddings and Out are needed.
type HeadConfig struct {
	Embeddings string   // the store's folder
	Out        string   // the run's folder, to be made
	Taps       []string // words as taps.Resolve takes them; none: all that the store holds
	Model      string   // the backbone's ONNX file; empty: looked for beside the store
	Recipe     string   // run.RecipeLBFGS (also ""), run.RecipeStudy or run.RecipeStrong
	Lambda     *float64 // strength of run.RecipeLBFGS, above 0: the penalty is λ/2·‖W‖² beside the mean loss; nil: chosen
	Imbalance
	GroupBy string // a pattern of the user's own groups in the rows' IDs, see Store.GroupBy; may be empty
	UseFlip bool   // train on mirrored images too, and average both's logits at test
	// Descent is how the other recipes train; nil for their defaults. Its Imbalance is the head's, its seed is
	// Seed and its threads are Threads.
	Descent *HeadDescent
	Seed    uint64
	Threads int    // CPU threads of training and judging, 0 for all cores
	Force   bool   // replace the run at Out
	Version string // of the program, for the record
}

// HeadDescent is how a head is trained by gradient descent. The data decides how
// many features and outputs Net has.
type HeadDescent struct {
	Descent
	Net nets.Head
}

// NewHeadDescent is how a recipe other than run.RecipeLBFGS trains heads by default.
func NewHeadDescent(name string) (*HeadDescent, error) {
	r, err := findRecipe(nets.KindHead, name)
	if err != nil {
		return nil, err
	}
	return &HeadDescent{Descent{Fit: r.fit}, r.net.(nets.Head)}, nil
}

// HeadTraining is a HeadConfig that was checked, its defaults filled in.
type HeadTraining struct{ c HeadConfig }

// Check fills in defaults and refuses settings that contradict each other or
// would have no effect.
func (c HeadConfig) Check() (HeadTraining, error) {
	c.Recipe, c.ClassWeights = cmp.Or(c.Recipe, run.RecipeLBFGS), cmp.Or(c.ClassWeights, WeightsNone)
	switch {
	case c.Embeddings == "":
		return HeadTraining{}, errors.New("no embedding store was given")
	case c.Out == "":
		return HeadTraining{}, errors.New("no folder for the run was given")
	case c.Lambda != nil && !(*c.Lambda > 0 && *c.Lambda <= math.MaxFloat64):
		return HeadTraining{}, fmt.Errorf("lambda %g, want a number above 0", *c.Lambda)
	case c.Recipe == run.RecipeLBFGS && c.Descent != nil:
		return HeadTraining{}, fmt.Errorf("recipe %s has no settings of gradient descent", run.RecipeLBFGS)
	case c.Recipe == run.RecipeLBFGS:
		return HeadTraining{c}, c.Imbalance.check()
	case c.Lambda != nil:
		return HeadTraining{}, fmt.Errorf("lambda %g: recipe %s has no strength", *c.Lambda, c.Recipe)
	}
	d, err := NewHeadDescent(c.Recipe)
	if err != nil {
		return HeadTraining{}, err
	}
	if c.Descent != nil {
		*d = *c.Descent
	}
	d.Imbalance, d.Fit.Seed, d.Fit.Threads = c.Imbalance, c.Seed, c.Threads
	net := d.Net
	net.Features, net.Outputs = 1, 2 // as few as there may be, before the data is known
	c.Descent = d
	return HeadTraining{c}, errors.Join(net.Check(), checkIdle(net), d.Descent.check())
}

// Head checks a configuration and trains by it; see HeadTraining.Run.
func Head(ctx context.Context, c HeadConfig, o Observer) (Result, error) {
	t, err := c.Check()
	if err != nil {
		return Result{}, err
	}
	return t.Run(ctx, o)
}

// Run fits a head on a store's train split, judges it on the other splits and
// writes the run folder. Equal stores, settings, seeds and numbers of threads
// give byte-identical weights on one machine. Gradient descent leaves a
// checkpoint after each epoch, and the same training run again goes on from it.
func (t HeadTraining) Run(ctx context.Context, o Observer) (Result, error) {
	p, err := whole(t.c.Out, t.c.Seed, t.c.Force)
	if err != nil {
		return Result{}, err
	}
	if p.unfinished && t.c.Descent == nil { // L-BFGS has no use for the checkpoint, and must not take it away
		return Result{}, fmt.Errorf("run folder %s holds an interrupted training by gradient descent; choose another --out, or replace it with --force", p.folder)
	}
	h, err := t.read(ctx)
	if err != nil {
		return Result{}, err
	}
	return h.train(ctx, p, o)
}

// Repeat trains as often as r says, each head as Run trains one, from features that are
// read once. The heads of several seeds share what L-BFGS measures of all of train; which
// tenth chooses its penalty is all that differs between them, so that it is refused where
// the penalty is given.
func (t HeadTraining) Repeat(ctx context.Context, r Repeats, o Observer) (Repeated, error) {
	if err := r.check(); err != nil {
		return Repeated{}, err
	}
	if r.Seeds > 0 && t.c.Lambda != nil {
		return Repeated{}, fmt.Errorf("%d seeds with lambda %g given: nothing else is drawn, and all heads would be equal", r.Seeds, *t.c.Lambda)
	}
	h, err := t.read(ctx)
	if err != nil {
		return Repeated{}, err
	}
	return repeat(ctx, h, r, t.c.Out, t.c.Seed, t.c.Force, o)
}

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
	r := &run.Run{Dir: p.folder, Config: s.describe(c.Version, p.seed, out.record(how), f.AbsentClasses(classes))}
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
