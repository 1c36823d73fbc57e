package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
)

// NetConfig says how to train a cnn or vit. [NewNetConfig] gives a recipe's;
// Data and Out are needed too.
type NetConfig struct {
	Recipe string
	Net    nets.Net // the data decides how many outputs it has
	Data   dataset.Ref
	Limit  int    // images per split, 0 for all
	Out    string // the run's folder, to be made
	Descent
	Augment     augment.Pipeline
	SoftLabels  float64 // share of FER+'s votes in the targets, 0…1; needs votes in the dataset
	Pixels      run.PixelsRecord
	Force       bool // replace the run at Out
	run.Program      // for the record
}

// NewNetConfig is a recipe's settings for a kind of network, nets.KindCNN or
// nets.KindViT.
func NewNetConfig(kind, name string) (NetConfig, error) {
	if kind != nets.KindCNN && kind != nets.KindViT {
		return NetConfig{}, fmt.Errorf("a network of kind %q; known are %s and %s", kind, nets.KindCNN, nets.KindViT)
	}
	r, err := findRecipe(kind, name)
	return NetConfig{Recipe: name, Net: r.net, Descent: Descent{Fit: r.fit}, Augment: r.augment, Pixels: r.pixels}, err
}

// NetTraining is a NetConfig that was checked.
type NetTraining struct{ c NetConfig }

// Check refuses settings that contradict each other or would have no effect.
func (c NetConfig) Check() (NetTraining, error) {
	switch {
	case c.Data.Path == "":
		return NetTraining{}, errors.New("no dataset was given")
	case c.Out == "":
		return NetTraining{}, errors.New("no folder for the run was given")
	case c.Limit < 0:
		return NetTraining{}, fmt.Errorf("limit %d is negative", c.Limit)
	case !(c.SoftLabels >= 0 && c.SoftLabels <= 1):
		return NetTraining{}, fmt.Errorf("a share of %g for soft labels, want 0 to 1", c.SoftLabels)
	case c.SoftLabels > 0 && c.Data.FERPlus == "":
		return NetTraining{}, errors.New("soft labels come from FER+'s votes; name their file")
	case c.SoftLabels == 0 && c.Data.FERPlus != "":
		return NetTraining{}, idle.Errorf("ferplus", "ferplus: the votes have no effect without a share of soft labels")
	}
	net, err := nets.ForClasses(c.Net, 2) // as few as there may be, before the data is known
	if err == nil {
		err = errors.Join(checkIdle(net), c.Descent.check(), c.Augment.Check(), c.Pixels.Check(net.InputShape()))
	}
	if err != nil {
		return NetTraining{}, err
	}
	kept, want := c.Pixels.Kept(net.InputShape()), net.InputShape()[1]
	side, _, err := c.Augment.Size(kept, kept)
	if err == nil && side != want {
		err = fmt.Errorf("augmentation %s gives images of %d pixels a side, the network wants %d", c.Augment, side, want)
	}
	return NetTraining{c}, err
}

// Net checks a configuration and trains by it; see NetTraining.Run.
func Net(ctx context.Context, c NetConfig, o Observer) (Result, error) {
	t, err := c.Check()
	if err != nil {
		return Result{}, err
	}
	return t.Run(ctx, o)
}

// Run trains a network on a dataset's train split, judges it on the other splits
// and writes the run folder. Equal data, settings, seeds and numbers of threads
// give byte-identical weights on one machine. A checkpoint is left after each
// epoch, and the same training run again goes on from it.
func (t NetTraining) Run(ctx context.Context, o Observer) (Result, error) {
	return whole(t.c.Out, t.c.Fit.Seed, t.c.Force, func(p part) (result Result, err error) {
		err = t.reading(ctx, o, func(n networks) (err error) {
			result, err = n.train(ctx, p, o)
			return err
		})
		return result, err
	})
}

// Repeat trains as often as r says, each network as Run trains one, on images that
// are read once.
func (t NetTraining) Repeat(ctx context.Context, r Repeats, o Observer) (all Repeated, err error) {
	if err := r.check(); err != nil {
		return all, err
	}
	err = t.reading(ctx, o, func(n networks) (err error) {
		all, err = repeat(ctx, n, r, t.c.Out, t.c.Fit.Seed, t.c.Force, o)
		return err
	})
	return all, err
}

// logTable tells the network's layers.
func logTable(net nets.Net, o Observer) error {
	layers, err := nets.Layers(net)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := nets.WriteTable(&b, layers); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		o.log("%s", strings.TrimRight(line, "\n"))
	}
	return nil
}

// ferPlusClasses are FER+'s first votes by FER2013's names; what it adds
// (contempt, unknown, no face) has no class there.
var ferPlusClasses = []string{"neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"}

// softTargets is [n,classes]: share parts of FER+'s votes, the rest the label.
// Votes for none of the classes count as the label.
func softTargets(d *dataset.Dataset, f run.Rows, share float64) ([]float32, error) {
	k := len(d.Classes)
	targets := fit.OneHot(f.Labels, k)
	if share == 0 {
		return targets, nil
	}
	var at []int
	for _, name := range ferPlusClasses {
		c := slices.Index(d.Classes, name)
		if c < 0 {
			return nil, fmt.Errorf("FER+'s votes are for %s; the dataset has no class %s", strings.Join(ferPlusClasses, ", "), name)
		}
		at = append(at, c)
	}
	for i, index := range f.Indices {
		votes := d.Samples[index].Votes
		if len(votes) < len(at) {
			return nil, fmt.Errorf("image %s has no votes", f.IDs[i])
		}
		sum := 0
		for j := range at {
			sum += int(votes[j])
		}
		if sum == 0 {
			continue
		}
		row := targets[i*k : (i+1)*k]
		row[f.Labels[i]] = float32(1 - share)
		for j, c := range at {
			row[c] += float32(share * float64(votes[j]) / float64(sum))
		}
	}
	return targets, nil
}
