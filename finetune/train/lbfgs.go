package train

import (
	"context"
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// The numbers of run.RecipeLBFGS, which config.json repeats.
const (
	maxIterations = 500
	tolerance     = 1e-7 // nats from the minimum at which a fit has converged
)

// trainLBFGS loads train, runs the recipe and completes the record.
func trainLBFGS(ctx context.Context, c HeadConfig, s *store.Store, config *run.Config, o Observer) (fitted, error) {
	read := load.ReadFeatures
	if c.UseFlip {
		read = load.ReadBoth
	}
	f, err := read(s, c.Taps, dataset.Train)
	if err != nil {
		return fitted{}, err
	}
	classes := s.Classes()
	config.Notes = append(config.Notes, f.AbsentClasses(classes)...)
	o.log("training on %d rows of %d features, %d classes, recipe %s", len(f.Labels), f.Dim, len(classes), c.Recipe)
	out, err := fitLBFGS(ctx, c, f, len(classes))
	if err != nil {
		return out, err
	}
	r := &config.Head
	r.Dim, r.Samples, r.Standardize = f.Dim, len(f.Labels), true
	r.Lambda, r.LambdaFrom, r.Tried, r.Settings = out.record.Lambda, out.record.LambdaFrom, out.record.Tried, out.record.Settings
	for _, t := range r.Tried {
		o.log("λ %g: loss %.4f, accuracy %.1f%% on the tenth of train held out", t.Lambda, t.Loss, 100*t.Accuracy)
	}
	o.log("λ %g (%s): loss %.4f on all of train, penalty included", *r.Lambda, r.LambdaFrom, out.history[len(out.history)-1].TrainLoss)
	return out, nil
}

// fitLBFGS is run.RecipeLBFGS.
func fitLBFGS(ctx context.Context, c HeadConfig, f load.Features, classes int) (fitted, error) {
	n := len(f.Labels)
	o := head.LBFGSOptions{MaxIterations: maxIterations, Tolerance: tolerance, Threads: c.Threads}
	if c.ClassWeights == WeightsBalanced {
		o.ClassWeights = head.Balanced(f.Labels, classes)
	}
	out := fitted{record: run.HeadRecord{Settings: map[string]float64{"max_iterations": maxIterations, "tolerance": tolerance}}}
	var l *head.Linear
	var trace head.Trace
	var err error
	if c.Lambda != nil {
		o.Lambda = *c.Lambda
		l, trace, err = head.FitLBFGS(ctx, f.X, n, f.Dim, f.Labels, classes, o)
		out.record.Lambda, out.record.LambdaFrom = c.Lambda, "given"
	} else {
		var sel head.Selection
		// A face and its mirrored twin share an index: both train, or both judge.
		cv := head.CVOptions{LBFGS: o, Seed: c.Seed, Groups: f.Indices}
		l, trace, sel, err = head.FitCV(ctx, f.X, n, f.Dim, f.Labels, classes, cv)
		out.record.Lambda, out.record.LambdaFrom = &sel.Lambda, "holdout"
		out.notes = append(out.notes, atTheEdge(sel)...)
		for _, t := range sel.Candidates {
			out.record.Tried = append(out.record.Tried, run.Strength{Lambda: t.Lambda, Loss: t.Loss, Accuracy: t.Accuracy})
		}
	}
	if err != nil {
		return out, err
	}
	out.net, out.weights = linearNet(l)
	if !trace.Converged {
		out.notes = append(out.notes, fmt.Sprintf("L-BFGS stopped after %d iterations, before it had converged.", trace.Last().Iteration))
	}
	last := 0.0
	for _, s := range trace.Steps {
		out.history = append(out.history, fit.Epoch{Number: s.Iteration, TrainLoss: s.Loss, Seconds: s.Seconds - last})
		last = s.Seconds
	}
	return out, nil
}

// atTheEdge notes where the strongest penalty tried was the best: a stronger one may
// be better still, which happens with few images.
func atTheEdge(s head.Selection) []string {
	if len(s.Candidates) == 0 || s.Lambda != s.Candidates[0].Lambda {
		return nil
	}
	return []string{fmt.Sprintf("λ %g is the strongest that was tried; a larger --lambda may do better.", s.Lambda)}
}

// The tensors of a linear head; see nets.Head.
const (
	tensorWeight = "head.weight" // [K,D]
	tensorBias   = "head.bias"   // [K]
)

// linearNet is a fitted linear head as a network with its weights.
func linearNet(l *head.Linear) (nets.Head, map[string][]float32) {
	w := map[string][]float32{tensorWeight: l.W, tensorBias: l.B}
	if l.Mean != nil {
		w[nets.FeatureMean], w[nets.FeatureStd] = l.Mean, l.Std
	}
	return nets.Head{Features: l.Dim, Outputs: l.Classes, Standardize: l.Mean != nil}, w
}
