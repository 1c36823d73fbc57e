package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
)

// UnfreezeAll is the word for every block, patch embedding and positions.
const UnfreezeAll = "all"

// HeadNone is the word for a head that begins with zeros on features as they are. It is for a network
// of random weights, whose features say little yet; whether it learns better from there was not shown.
const HeadNone = "none"

// BackboneConfig says how to train the last blocks of a pretrained network with a head behind them. [NewBackboneConfig]
// gives the recipe's; Data, Model, Out and one of Unfreeze and UnfreezeFrom are needed too.
type BackboneConfig struct {
	Data  dataset.Ref
	Limit int    // images per split, 0 for all
	Model string // the network's ONNX file
	// Tail is the network's float32 file, where Model is the same in int8 or float16: Model then runs before the cut, and
	// what learns begins with Tail's weights and goes into its graph.
	Tail string
	// Foreign describes a network that graft did not export.
	Foreign *preprocess.Spec
	Runtime session.Options // what runs the frozen part

	Out          string // the run's folder, to be made
	Embeddings   string // the store that keeps what the frozen part gives of train; empty: Out.tokens
	Unfreeze     string // how many blocks, or UnfreezeAll
	UnfreezeFrom string // the tensor where the trained part begins, instead
	Taps         []string
	Head         string // a run of train head on the same network, to begin with, or HeadNone; empty: one is fitted by L-BFGS
	UseFlip      bool   // average the logits of each image and its mirror image at test
	// Views are kept of every image of train, of which each epoch draws one: as it is, mirrored, changed by Augment. With 0
	// none is, and Augment changes each image anew in every epoch.
	Views int

	Descent
	Tuning
	Augment     augment.Pipeline // of the further views; mixup is of the batches drawn from them
	SoftLabels  float64          // share of FER+'s votes in the targets, 0…1; needs votes in the dataset
	GroupBy     string
	Force       bool // replace the run at Out
	run.Program      // for the record
}

// NewBackboneConfig is the recipe for fine-tuning.
func NewBackboneConfig() BackboneConfig {
	return BackboneConfig{Views: 4, UseFlip: true, Tuning: Tuning{LayerDecay: 0.75, DropPath: 0.1},
		Augment: augment.Pipeline{HFlip: 0.5, Rotate: 12, Scale: 0.15, Shift: 0.06, Contrast: 0.3, Mixup: 0.2},
		Descent: Descent{Holdout: 0.1, Fit: fit.Config{Epochs: 12, Batch: 64, Optimizer: fit.AdamW, LearningRate: 5e-4, WeightDecay: 0.05,
			Schedule: fit.Cosine, Warmup: 1.2, Clip: 1, Smoothing: 0.1, EMA: 0.998, KeepBest: true}}}
}

// BackboneTraining is a BackboneConfig that was checked.
type BackboneTraining struct{ c BackboneConfig }

// Check refuses settings that contradict each other or would have no effect.
func (c BackboneConfig) Check() (BackboneTraining, error) {
	views := 1
	if c.UseFlip {
		views = 2
	}
	changes := c.Augment
	changes.Mixup = 0
	if c.Views == views { // none is changed
		c.Augment = augment.Pipeline{Mixup: c.Augment.Mixup}
	}
	var err error
	switch {
	case c.Data.Path == "":
		err = errors.New("no dataset was given")
	case c.Model == "":
		err = errors.New("no backbone was given")
	case c.Out == "":
		err = errors.New("no folder for the run was given")
	case c.Limit < 0:
		err = fmt.Errorf("limit %d is negative", c.Limit)
	case c.Views == 0 && c.Embeddings != "":
		err = idle.Errorf("embeddings", "embeddings %s: with 0 views nothing is kept", c.Embeddings)
	case c.Views != 0 && c.Views < views:
		err = fmt.Errorf("%d views, want %d or more, the image as it is%s, or 0 to change all anew in each epoch", c.Views, views, map[int]string{2: " and its mirror image"}[views])
	case c.Views > views && changes == augment.Pipeline{}:
		err = fmt.Errorf("%d views: the augmentation %s makes no more than %d", c.Views, c.Augment, views)
	case c.Head != "" && c.Head != HeadNone && len(c.Taps) > 0:
		err = idle.Errorf("taps", "head %s has taps of its own; leave the others out", c.Head)
	}
	return BackboneTraining{c}, errors.Join(err, c.checkUnfreeze(), c.checkVotes(), c.Tuning.check(), c.Descent.check(), c.Augment.Check())
}

func (c BackboneConfig) checkUnfreeze() error {
	n, err := strconv.Atoi(c.Unfreeze)
	switch {
	case (c.Unfreeze == "") == (c.UnfreezeFrom == ""):
		return idle.Errorf("unfreeze unfreeze-from", "want one of unfreeze, a number of blocks, and unfreeze-from, the tensor where the trained part begins")
	case c.UnfreezeFrom != "":
		return nil
	case c.Unfreeze == UnfreezeAll && c.Tail != "":
		return fmt.Errorf("tail %s: unfreeze %s leaves nothing for %s to run; give the float32 file as the model", c.Tail, UnfreezeAll, c.Model)
	case c.Unfreeze == UnfreezeAll && c.Views != 0:
		return idle.Errorf("views", "%d views: unfreeze %s leaves nothing frozen to keep; give 0 views", c.Views, UnfreezeAll)
	case c.Unfreeze == UnfreezeAll:
		return nil
	case err != nil || n < 0:
		return fmt.Errorf("unfreeze %q: want a number of blocks, or %s", c.Unfreeze, UnfreezeAll)
	case n == 0:
		return errors.New("unfreeze 0 trains a head alone, and graft train head does that in seconds: graft extract, then graft train head --embeddings STORE")
	}
	return nil
}

func (c BackboneConfig) checkVotes() error {
	switch {
	case !(c.SoftLabels >= 0 && c.SoftLabels <= 1):
		return fmt.Errorf("a share of %g for soft labels, want 0 to 1", c.SoftLabels)
	case c.SoftLabels > 0 && c.Data.FERPlus == "":
		return errors.New("soft labels come from FER+'s votes; name their file")
	case c.SoftLabels == 0 && c.Data.FERPlus != "":
		return idle.Errorf("ferplus", "ferplus: the votes have no effect without a share of soft labels")
	}
	return nil
}

// Backbone checks a configuration and trains by it; see BackboneTraining.Run.
func Backbone(ctx context.Context, c BackboneConfig, o Observer) (Result, error) {
	t, err := c.Check()
	if err != nil {
		return Result{}, err
	}
	return t.Run(ctx, o)
}

// Run keeps what the frozen part gives of the train split, fits a head to the taps, trains the blocks from there, judges
// the whole from pixels on the other splits and writes the run folder. Equal data, settings, seeds and numbers of threads
// give byte-identical weights on one machine. A checkpoint is left after each epoch, and the same training run again goes
// on from it.
func (t BackboneTraining) Run(ctx context.Context, o Observer) (Result, error) {
	return whole(t.c.Out, t.c.Fit.Seed, t.c.Force, func(p part) (result Result, err error) {
		err = t.reading(ctx, o, func(b backbone) error {
			result, err = b.train(ctx, p, o)
			return err
		})
		return result, err
	})
}

// Repeat trains as often as r says, each time as Run does, on tokens that are kept once.
func (t BackboneTraining) Repeat(ctx context.Context, r Repeats, o Observer) (all Repeated, err error) {
	switch err := r.check(); {
	case err != nil:
		return all, err
	case r.Folds > 0 && t.c.Head != "":
		return all, fmt.Errorf("%d folds: the head %s has seen all of them; leave it out, and one is fitted for each", r.Folds, t.c.Head)
	}
	err = t.reading(ctx, o, func(b backbone) (err error) {
		all, err = repeat(ctx, b, r, t.c.Out, t.c.Fit.Seed, t.c.Force, o)
		return err
	})
	return all, err
}

// store is the folder that keeps what the frozen part gives.
func (c BackboneConfig) store() string { return cmp.Or(c.Embeddings, c.Out+".tokens") }

// headRun reads the run of the head to begin with, nil where it is none.
func (c BackboneConfig) headRun() (*run.Run, error) {
	if c.Head == "" || c.Head == HeadNone {
		return nil, nil
	}
	r, err := run.Open(c.Head)
	if err == nil && r.Config.Kind != nets.KindHead {
		err = fmt.Errorf("head %s is a %s, want a run of graft train head", c.Head, r.Config.Kind)
	}
	return r, err
}
