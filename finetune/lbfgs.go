package finetune

import (
	"context"
	"fmt"

	"graft/finetune/head"
	"graft/finetune/nets"
)

// The numbers of RecipeLBFGS, which config.json repeats.
const (
	maxIterations = 500
	tolerance     = 1e-7 // nats from the minimum at which a fit has converged
)

// fitted is what a recipe gives back.
type fitted struct {
	net      nets.Net
	weights  map[string][]float32
	last     map[string][]float32 // the last weights, where others were kept
	record   HeadRecord           // of L-BFGS: its part of it
	training *TrainingRecord      // of gradient descent
	history  []Epoch
	notes    []string
}

// fitLBFGS is RecipeLBFGS.
func fitLBFGS(ctx context.Context, c HeadConfig, f features, classes int) (fitted, error) {
	n := len(f.labels)
	o := head.LBFGSOptions{MaxIterations: maxIterations, Tolerance: tolerance}
	if c.ClassWeights == WeightsBalanced {
		o.ClassWeights = head.Balanced(f.labels, classes)
	}
	out := fitted{record: HeadRecord{Settings: map[string]float64{"max_iterations": maxIterations, "tolerance": tolerance}}}
	var l *head.Linear
	var trace head.Trace
	var err error
	if c.Lambda != nil {
		o.Lambda = *c.Lambda
		l, trace, err = head.FitLBFGS(ctx, f.x, n, f.dim, f.labels, classes, o)
		out.record.Lambda, out.record.LambdaFrom = c.Lambda, "given"
	} else {
		var sel head.Selection
		// A face and its mirrored twin share an index: both train, or both judge.
		cv := head.CVOptions{LBFGS: o, Seed: c.Seed, Groups: f.indices}
		l, trace, sel, err = head.FitCV(ctx, f.x, n, f.dim, f.labels, classes, cv)
		out.record.Lambda, out.record.LambdaFrom = &sel.Lambda, "holdout"
		out.notes = append(out.notes, atTheEdge(sel)...)
		for _, t := range sel.Candidates {
			out.record.Tried = append(out.record.Tried, Strength{t.Lambda, t.Loss, t.Accuracy})
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
		out.history = append(out.history, Epoch{Number: s.Iteration, TrainLoss: s.Loss, Seconds: s.Seconds - last})
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
