package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/fit"
	"graft/finetune/train"
)

// recipes is what help shows for the default of what a recipe decides.
const recipes = "the recipe's"

// descentFlags are the settings of gradient descent; what is not given is the
// recipe's.
func descentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "epochs", DefaultText: recipes, Usage: "passes over train: `N`"},
		&cli.IntFlag{Name: "batch", DefaultText: recipes, Usage: "examples a step: `N`"},
		&cli.StringFlag{Name: "optimizer", DefaultText: recipes, Usage: "`NAME`: " + strings.Join(fit.Optimizers, ", ")},
		&cli.Float64Flag{Name: "lr", DefaultText: recipes, Usage: "learning `RATE` after the warm-up"},
		&cli.Float64Flag{Name: "momentum", DefaultText: recipes, Usage: "of sgd: `M`, 0 to below 1"},
		&cli.Float64Flag{Name: "weight-decay", DefaultText: recipes, Usage: "`D` of matrices and kernels"},
		&cli.StringFlag{Name: "schedule", DefaultText: recipes, Usage: "of the learning rate: `NAME`: " + strings.Join(fit.Schedules, ", ")},
		&cli.Float64Flag{Name: "warmup", DefaultText: recipes, Usage: "`EPOCHS` in which the learning rate rises"},
		&cli.IntFlag{Name: "step-epochs", DefaultText: recipes, Usage: "of the step schedule: `EPOCHS` between its steps"},
		&cli.Float64Flag{Name: "step-factor", DefaultText: recipes, Usage: "of the step schedule: `FACTOR` of each step"},
		&cli.Float64Flag{Name: "clip", DefaultText: recipes, Usage: "limit `L` of the gradients' norm (0: none)"},
		&cli.Float64Flag{Name: "label-smoothing", DefaultText: recipes, Usage: "`S`, 0 to below 1"},
		&cli.Float64Flag{Name: "ema", DefaultText: recipes, Usage: "keep a running mean of the weights that forgets with `D` a step (0: none)"},
		&cli.Float64Flag{Name: "holdout", Usage: "`SHARE` of train to hold out and watch instead of a split of its own"},
		&cli.BoolFlag{Name: "keep-best", Usage: "keep the epoch of the smallest loss on the hold-out, not the last"},
		&cli.IntFlag{Name: "patience", Usage: "stop after `EPOCHS` without a smaller loss on the hold-out (0: never)"},
		&cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores); the same number gives the same bits"},
	}
}

// setDescent puts the flags that were given over a recipe's settings.
func setDescent(c *cli.Context, d *train.Descent) {
	f := &d.Fit
	for name, to := range map[string]*int{"epochs": &f.Epochs, "batch": &f.Batch, "step-epochs": &f.StepEpochs, "patience": &f.Patience,
		"threads": &f.Threads} {
		if c.IsSet(name) {
			*to = c.Int(name)
		}
	}
	for name, to := range map[string]*float64{"lr": &f.LearningRate, "momentum": &f.Momentum, "weight-decay": &f.WeightDecay,
		"warmup": &f.Warmup, "step-factor": &f.StepFactor, "clip": &f.Clip, "label-smoothing": &f.Smoothing, "ema": &f.EMA,
		"holdout": &d.Holdout} {
		if c.IsSet(name) {
			*to = c.Float64(name)
		}
	}
	for name, to := range map[string]*string{"optimizer": &f.Optimizer, "schedule": &f.Schedule} {
		if c.IsSet(name) {
			*to = c.String(name)
		}
	}
	f.KeepBest = c.Bool("keep-best")
	f.Seed = c.Uint64("seed")
}

// anySet tells which of the flags was given, "" if none.
func anySet(c *cli.Context, flags []cli.Flag) string {
	for _, f := range flags {
		if name := f.Names()[0]; c.IsSet(name) {
			return name
		}
	}
	return ""
}

// optionFlags make flags of a network's options; their names in config.json
// have _ for -.
func optionFlags(kind string) []cli.Flag {
	var out []cli.Flag
	for _, o := range networkOptions[kind] {
		name := strings.ReplaceAll(o.name, "_", "-")
		switch o.zero.(type) {
		case int:
			out = append(out, &cli.IntFlag{Name: name, DefaultText: recipes, Usage: o.usage})
		case float64:
			out = append(out, &cli.Float64Flag{Name: name, DefaultText: recipes, Usage: o.usage})
		case bool:
			out = append(out, &cli.BoolFlag{Name: name, DefaultText: recipes, Usage: o.usage})
		case []int:
			out = append(out, &cli.IntSliceFlag{Name: name, DefaultText: recipes, Usage: o.usage})
		default:
			out = append(out, &cli.StringFlag{Name: name, DefaultText: recipes, Usage: o.usage})
		}
	}
	return out
}

// setOptions collects the options that were given.
func setOptions(c *cli.Context, kind string) map[string]any {
	out := map[string]any{}
	for _, o := range networkOptions[kind] {
		name := strings.ReplaceAll(o.name, "_", "-")
		if !c.IsSet(name) {
			continue
		}
		switch o.zero.(type) {
		case int:
			out[o.name] = c.Int(name)
		case float64:
			out[o.name] = c.Float64(name)
		case bool:
			out[o.name] = c.Bool(name)
		case []int:
			out[o.name] = c.IntSlice(name)
		default:
			out[o.name] = c.String(name)
		}
	}
	return out
}
