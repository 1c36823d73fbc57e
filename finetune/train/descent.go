package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
	"graft/internal/plural"
)

// Observer is told how a training goes. Its functions may be nil.
type Observer struct {
	Log      func(line string)
	Progress load.Progress
}

func (o Observer) training(rows, features, classes int, recipe string) {
	o.log("training on %s of %s, %s, recipe %s", plural.Of(rows, "row"), plural.Of(features, "feature"), plural.Of(classes, "class"), recipe)
}

func (o Observer) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// Descent is how to train by gradient descent, whatever the network.
type Descent struct {
	Fit fit.Config
	Imbalance
	Holdout float64 // share of train that is held out and watched instead of a split of its own; 0 for none
}

// check refuses what contradicts itself.
func (d Descent) check() error {
	switch {
	case !(d.Holdout >= 0 && d.Holdout < 1):
		return fmt.Errorf("a hold-out of %g of train, want at least 0 and below 1", d.Holdout)
	case d.Holdout == 0 && (d.Fit.KeepBest || d.Fit.Patience > 0):
		return idle.Errorf("keep-best patience", "keep-best and patience choose by a hold-out of train; give its share")
	}
	return errors.Join(d.Imbalance.check(), d.Fit.Check())
}

// task is a network with what it learns from.
type task struct {
	Descent
	net     nets.Net
	start   func(rows []int) (map[string][]float32, error) // the first weights, from the rows trained on; nil: drawn by the seed
	classes []string
	labels  []int // of all of train
	groups  []int // of all of train: equal ones stay on one side of a hold-out; nil: each row by itself
	held    []int // rows of train to hold out, ascending; nil: drawn
	data    func(rows []int) (fit.Data, error)
	samples func(rows []int) (fit.Examples, error) // the same rows as they are judged
	watched load.Source                            // its split for validation, where nothing is held out
	record  run.TrainingRecord                     // as far as it is known before
	place
}

// place is the run's folder, where checkpoints are left.
type place struct {
	folder     string
	unfinished bool              // it holds a checkpoint to go on from; else it is made, or emptied of an earlier run, when all else is ready
	identity   map[string]string // what decides the weights beside the network and its fit
}

// only is the task on some rows of train.
func (t task) only(rows []int) task {
	data, samples, start := t.data, t.samples, t.start
	t.labels = pick(t.labels, rows)
	if t.groups != nil {
		t.groups = pick(t.groups, rows)
	}
	t.data = func(of []int) (fit.Data, error) { return data(pick(rows, of)) }
	t.samples = func(of []int) (fit.Examples, error) { return samples(pick(rows, of)) }
	if start != nil {
		t.start = func(of []int) (map[string][]float32, error) { return start(pick(rows, of)) }
	}
	return t
}

// learn trains. The checkpoint stays in the run's folder until the run is saved.
func (t task) learn(ctx context.Context, o Observer) (out fitted, err error) {
	if err := t.net.Check(); err != nil {
		return out, err
	}
	if t.Fit.Threads == 0 {
		t.Fit.Threads = runtime.GOMAXPROCS(0)
	}
	record := t.record
	record.Holdout, record.LogitAdjust = t.Holdout, t.LogitAdjust
	rows, held := all(len(t.labels)), []int(nil)
	switch {
	case t.held != nil:
		rows, held = without(rows, t.held), t.held
	case t.Holdout > 0:
		rows, held, err = head.HoldOut(t.labels, t.net.Classes(), t.groups, t.Holdout, t.Fit.Seed)
	}
	if err != nil {
		return out, err
	}
	job, err := t.job(ctx, rows, held, &record)
	if err != nil {
		return out, err
	}
	job.Progress = o.Progress.Of("training (examples)")
	job.Resumed = func(epochs int) { o.log("going on after epoch %d of an interrupted training", epochs) }
	job.Epoch = func(e fit.Epoch) { o.log("%s", epochLine(e, t.Fit.Epochs)) }
	if !t.unfinished {
		if err := run.StartFolder(t.folder); err != nil {
			return out, err
		}
	}
	r, err := fit.Train(ctx, job)
	if err != nil {
		return out, err
	}
	record.Config, record.Samples, record.Epoch = job.Config, job.Train.Len(), r.Epoch
	out = fitted{net: t.net, weights: r.Weights, samples: record.Samples, training: &record, history: r.History}
	if t.Fit.KeepBest {
		out.last = r.Last
	}
	if job.Validation == nil {
		out.notes = append(out.notes, "The dataset has no split to validate on; history.csv tells the training loss only.")
	}
	if held != nil {
		out.held.rows = held
		err = out.held.ask(ctx, t.net, r.Weights, job.Validation.Examples, t.Fit.Threads)
	}
	return out, err
}

// job is all that the training works with. What is computed from samples comes
// from rows, those trained on, never from those held out.
func (t task) job(ctx context.Context, rows, held []int, record *run.TrainingRecord) (j fit.Job, err error) {
	j = fit.Job{Net: t.net, Config: t.Fit, Checkpoint: filepath.Join(t.folder, run.CheckpointFile), Identity: t.identity}
	if j.Validation, err = t.watch(ctx, held, record); err != nil {
		return j, err
	}
	if j.Train, err = t.data(rows); err != nil {
		return j, err
	}
	labels := pick(t.labels, rows)
	if j.Config.ClassWeights, err = t.weights(labels, t.classes); err != nil {
		return j, err
	}
	if j.Config.LogitOffsets, err = t.offsets(labels, t.classes); err != nil {
		return j, err
	}
	switch {
	case t.start != nil && t.unfinished: // all of them lie in the checkpoint, and may have taken long to find
		j.Start = map[string][]float32{}
		for _, w := range t.net.Weights() {
			j.Start[w.Name] = make([]float32, w.Size())
		}
	case t.start != nil:
		j.Start, err = t.start(rows)
	}
	return j, err
}

// watch sets up what is validated after each epoch: what is held out, or else a split.
func (t task) watch(ctx context.Context, held []int, record *run.TrainingRecord) (*fit.Validation, error) {
	if held != nil {
		record.Validation = "hold-out of train"
		samples, err := t.samples(held)
		return &fit.Validation{Examples: samples, Labels: pick(t.labels, held)}, err
	}
	if record.Validation = t.watched.Splits().Validation(); record.Validation == "" {
		return nil, nil
	}
	samples, f, err := t.watched.Load(ctx, record.Validation)
	return &fit.Validation{Examples: samples, Labels: f.Labels}, err
}

// epochLine is an epoch for people.
func epochLine(e fit.Epoch, epochs int) string {
	line := fmt.Sprintf("epoch %d of %d: train loss %.4f", e.Number, epochs, e.TrainLoss)
	if e.ValidationLoss != nil {
		line += fmt.Sprintf(", validation loss %.4f, accuracy %.1f%%", *e.ValidationLoss, 100**e.ValidationAccuracy)
	}
	return line + fmt.Sprintf(", %.1f s", e.Seconds)
}

func pick(labels, rows []int) []int {
	out := make([]int, len(rows))
	for i, r := range rows {
		out[i] = labels[r]
	}
	return out
}

// without are the rows that are not among others; both ascend.
func without(rows, others []int) (out []int) {
	for _, r := range rows {
		if _, found := slices.BinarySearch(others, r); !found {
			out = append(out, r)
		}
	}
	return out
}

// all is 0 to n-1.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
