package demo

import (
	"context"
	"fmt"
	"path/filepath"

	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/columns"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
	"graft/pretrained/vit"
)

// What the networks are trained with that are compared with the frozen one: little, so that two cores need a minute.
const (
	unfrozen = "2" // blocks
	epochs   = 6
	shape    = "vit_mini_8" // of the network that is trained from scratch: the mini's
)

// Way is one way to the same task on the mini's shape: its network frozen, partly unfrozen, or from scratch.
type Way struct {
	Name    string           `json:"name"`
	Run     string           `json:"run"`
	Trained int              `json:"trained_parameters"`
	Reports []metrics.Report `json:"reports"`
	Seconds float64          `json:"seconds"` // of its passes over train; what is frozen and judging are not in it
}

// compare trains the blocks too, and the same shape from scratch, and prints all three side by side.
func (j *job) compare(ctx context.Context, _ *dataset.Dataset) error {
	if !j.mini {
		return nil
	}
	j.say("unfrozen", "the last %s blocks and the head learn, %d epochs", unfrozen, epochs)
	c := j.tuning(j.result.Backbone, "unfrozen")
	c.Unfreeze, c.Views, c.Head = unfrozen, 2, j.result.Run
	if err := j.way(ctx, fmt.Sprintf("last %s blocks unfrozen", unfrozen), c); err != nil {
		return err
	}
	j.say("from scratch", "the same shape from random weights, all of it learns, %d epochs", epochs)
	random := filepath.Join(j.result.Folder, "scratch.onnx")
	if _, err := vit.Convert(ctx, vit.ConvertOptions{Random: true, Seed: j.Seed, Arch: shape, Out: random, Version: j.Version}, nil); err != nil {
		return err
	}
	c = j.tuning(random, "scratch")
	c.Unfreeze, c.Views, c.Head, c.Taps, c.LayerDecay, c.DropPath, c.Fit.LearningRate = train.UnfreezeAll, 0, train.HeadNone, []string{"cls", "mean"}, 1, 0, 1e-3
	if err := j.way(ctx, "from scratch", c); err != nil {
		return err
	}
	return j.table()
}

// tuning is what both trainings share.
func (j *job) tuning(model, name string) train.BackboneConfig {
	c := train.NewBackboneConfig()
	c.Data, c.Limit, c.Model, c.Out, c.Runtime = j.Data, j.Limit, model, filepath.Join(j.result.Folder, name), j.Runtime
	c.Augment = augment.Pipeline{HFlip: 0.5, Shift: 0.05, Scale: 0.1}
	c.Holdout, c.Fit.KeepBest, c.Fit.Epochs, c.Fit.Batch, c.Fit.Warmup, c.Fit.EMA = 0, false, epochs, 32, 0.5, 0.98
	c.Fit.Seed, c.Fit.Threads, c.Program = j.Seed, j.Runtime.Threads, run.Program{Version: j.Version}
	return c
}

// way trains, unless an earlier demo of the same settings finished it, and keeps what came out.
func (j *job) way(ctx context.Context, name string, c train.BackboneConfig) error {
	before, err := run.ReadConfig(c.Out)
	c.Force = err == nil
	if c.Force && before.Training != nil && before.Program == c.Program && before.Seed == c.Fit.Seed && before.Training.Epochs == epochs {
		j.tell("trained by an earlier demo")
		return j.add(name, c.Out)
	}
	if _, err := train.Backbone(ctx, c, train.Observer{Log: func(line string) { j.tell("%s", line) }}); err != nil {
		return err
	}
	return j.add(name, c.Out)
}

// add keeps what a run's files say.
func (j *job) add(name, dir string) error {
	c, err := run.ReadConfig(dir)
	if err != nil {
		return err
	}
	way := Way{Name: name, Run: dir, Trained: c.Parameters()}
	if way.Reports, err = run.ReadMetrics(dir); err != nil {
		return err
	}
	history, err := run.ReadHistory(dir)
	for _, e := range history {
		way.Seconds += e.Seconds
	}
	j.result.Ways = append(j.result.Ways, way)
	return err
}

// table prints the ways side by side.
func (j *job) table() error {
	w := columns.NewRight(j.Output, 2)
	fmt.Fprint(w, "\ttrained parameters")
	for _, r := range j.result.Ways[0].Reports {
		fmt.Fprintf(w, "\t%s", r.Split)
	}
	fmt.Fprintln(w, "\tseconds")
	for _, way := range j.result.Ways {
		fmt.Fprintf(w, "%s\t%d", way.Name, way.Trained)
		for _, r := range way.Reports {
			fmt.Fprintf(w, "\t%.1f%%", 100*r.Accuracy)
		}
		fmt.Fprintf(w, "\t%.0f\n", way.Seconds)
	}
	fmt.Fprintln(j.Output)
	defer fmt.Fprintln(j.Output)
	return w.Flush()
}
