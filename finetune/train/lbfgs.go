package train

import (
	"context"
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/plural"
)

// The numbers of run.RecipeLBFGS, which config.json repeats.
const (
	maxIterations = 500
	tolerance     = 1e-7 // nats from the minimum at which a fit has converged
)

// lbfgs is the settings of run.RecipeLBFGS.
type lbfgs struct {
	lambda *float64 // nil: chosen on a hold-out
	Imbalance
	seed     uint64
	threads  int
	measured *head.Measured // of the features; nil: not shared
}

// fitLBFGS fits a head to features, by r, and tells what was chosen. Rows whose groups [n] are equal
// stay on one side of the hold-out.
func fitLBFGS(ctx context.Context, f load.Features, groups []int, classes []string, r lbfgs, o Observer) (out fitted, err error) {
	n := len(f.Labels)
	o.training(n, f.Dim, len(classes), run.RecipeLBFGS)
	settings := head.LBFGSOptions{MaxIterations: maxIterations, Tolerance: tolerance, Threads: r.threads, Measured: r.measured}
	if settings.ClassWeights, err = r.weights(f.Labels, classes); err != nil {
		return out, err
	}
	offsets, err := r.offsets(f.Labels, classes)
	if err != nil {
		return out, err
	}
	out.samples = n
	s := &out.strength
	s.Settings = map[string]float64{"max_iterations": maxIterations, "tolerance": tolerance}
	var l *head.Linear
	var trace head.Trace
	if r.lambda != nil {
		settings.Lambda = *r.lambda
		l, trace, err = head.FitLBFGS(ctx, f.X, n, f.Dim, f.Labels, len(classes), settings)
		s.Lambda, s.LambdaFrom = r.lambda, "given"
	} else {
		var sel head.Selection
		cv := head.CVOptions{LBFGS: settings, Seed: r.seed, Groups: groups}
		l, trace, sel, err = head.FitCV(ctx, f.X, n, f.Dim, f.Labels, len(classes), cv)
		s.Lambda, s.LambdaFrom = &sel.Lambda, "holdout"
		out.notes = append(out.notes, atTheEdge(sel)...)
		for _, t := range sel.Candidates {
			s.Tried = append(s.Tried, run.Strength{Lambda: t.Lambda, Loss: t.Loss, Accuracy: t.Accuracy})
		}
		if err == nil {
			adjust(sel.Head, offsets)
			err = out.held.askChosen(ctx, sel, f, r.threads)
		}
	}
	if err != nil {
		return out, err
	}
	adjust(l, offsets)
	out.net, out.weights = linearNet(l)
	if !trace.Converged {
		out.notes = append(out.notes, fmt.Sprintf("L-BFGS stopped after %s, before it had converged.", plural.Of(trace.Last().Iteration, "iteration")))
	}
	last := 0.0
	for _, s := range trace.Steps {
		out.history = append(out.history, fit.Epoch{Number: s.Iteration, TrainLoss: s.Loss, Seconds: s.Seconds - last})
		last = s.Seconds
	}
	for _, t := range s.Tried {
		o.log("λ %g: loss %.4f, accuracy %.1f%% on the tenth of train held out", t.Lambda, t.Loss, 100*t.Accuracy)
	}
	o.log("λ %g (%s): loss %.4f on all of train, penalty included", *s.Lambda, s.LambdaFrom, out.history[len(out.history)-1].TrainLoss)
	return out, nil
}

// adjust makes of a head that the usual loss fitted the one of the logit-adjusted loss, for which
// offsets are added to the logits in training: they shift the biases, on which there is no penalty, and
// nothing else.
func adjust(l *head.Linear, offsets []float64) {
	for k, o := range offsets {
		l.B[k] -= float32(o)
	}
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
