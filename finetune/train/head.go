// Package train makes runs: heads of the features in an embedding store, networks of a dataset's images, and runs of
// weights that were trained elsewhere.
package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
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
	Descent     *HeadDescent
	Seed        uint64
	Threads     int  // CPU threads of training and judging, 0 for all cores
	Force       bool // replace the run at Out
	run.Program      // for the record
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
		return HeadTraining{}, idle.Errorf("lambda", "lambda %g: recipe %s has no strength", *c.Lambda, c.Recipe)
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
	return whole(t.c.Out, t.c.Seed, t.c.Force, func(p part) (Result, error) {
		if p.unfinished && t.c.Descent == nil { // L-BFGS has no use for the checkpoint, and must not take it away
			return Result{}, fmt.Errorf("run folder %s holds an interrupted training by gradient descent; choose another --out, or replace it with --force", p.folder)
		}
		h, err := t.read(ctx)
		if err != nil {
			return Result{}, err
		}
		return h.train(ctx, p, o)
	})
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
