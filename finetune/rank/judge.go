package rank

import (
	"context"

	"graft/finetune/head"
	"graft/finetune/knn"
	"graft/finetune/metrics"
)

// How taps are judged.
const (
	neighbours = 20 // that vote, weighted, as in DINO's evaluation
	folds      = 5  // of the probe
)

// strengths λ that a probe chooses from: half a decade apart, for some thousand rows.
var strengths = []float64{0.3, 0.1, 0.03, 0.01, 0.003}

// probeTolerance is how near to its minimum a probe's loss has to come, in nats:
// nearer changes no accuracy.
const probeTolerance = 1e-5

// judged is the features of one tap, [len(labels),dim].
type judged struct {
	x       []float32
	dim     int
	labels  []int
	classes int
	seed    uint64
	threads int
}

// tap judges the features; it changes them.
func (j judged) tap(ctx context.Context, name string) (Tap, error) {
	t := Tap{Name: name, Dim: j.dim}
	correct, err := j.probe(ctx)
	if err != nil {
		return t, err
	}
	t.Probe = newScore(correct, len(j.labels))
	if correct, err = j.nearest(ctx); err != nil {
		return t, err
	}
	t.KNN = newScore(correct, len(j.labels))
	return t, nil
}

// nearest counts the images whose neighbours among the others vote right.
func (j judged) nearest(ctx context.Context) (correct int, err error) {
	ix, err := knn.New(j.x, j.dim, j.labels, j.classes, j.threads)
	if err != nil {
		return 0, err
	}
	nb, err := ix.LeaveOneOut(ctx, min(neighbours, ix.Len()-1), nil, nil)
	if err != nil {
		return 0, err
	}
	return hits(ix.Shares(nb, knn.Weighted), j.labels, j.classes), nil
}

// probe counts the images that a linear head gets right which was fitted to the
// other folds.
func (j judged) probe(ctx context.Context) (correct int, err error) {
	fold := deal(j.labels, j.classes, folds, j.seed)
	for f := range folds {
		fit, held := j.split(fold, f)
		o := head.CVOptions{Grid: strengths, Seed: j.seed, LBFGS: head.LBFGSOptions{Tolerance: probeTolerance, Threads: j.threads}}
		l, _, _, err := head.FitCV(ctx, fit.x, len(fit.labels), j.dim, fit.labels, j.classes, o)
		if err != nil {
			return 0, err
		}
		correct += hits(l.Logits(held.x, len(held.labels), j.threads), held.labels, j.classes)
	}
	return correct, nil
}

// split copies the rows of a fold, and the others.
func (j judged) split(fold []int, f int) (fit, held judged) {
	for i, y := range j.labels {
		to := &fit
		if fold[i] == f {
			to = &held
		}
		to.x, to.labels = append(to.x, j.x[i*j.dim:(i+1)*j.dim]...), append(to.labels, y)
	}
	return fit, held
}

// hits counts the rows of scores [len(labels),classes] whose largest is their
// label's.
func hits(scores []float32, labels []int, classes int) (correct int) {
	for i, y := range labels {
		if metrics.Argmax(scores[i*classes:(i+1)*classes]) == y {
			correct++
		}
	}
	return correct
}
