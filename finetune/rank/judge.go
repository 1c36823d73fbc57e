package rank

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"graft/finetune/head"
	"graft/finetune/knn"
	"graft/finetune/metrics"
	"graft/preprocess/dataset"
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

// leastImages is what cross-validation and its intervals need to mean anything.
const leastImages = 20

// draw cuts the dataset down to a sample, every class by its share and none left
// out.
func (c *Config) draw() error {
	if len(c.Splits) == 0 {
		c.Splits = []string{dataset.Train}
	}
	indices, err := c.Data.Select(c.Splits, 0)
	if err != nil {
		return err
	}
	labels := make([]int, len(indices))
	for i, at := range indices {
		labels[i] = c.Data.Samples[at].Label
	}
	if c.Sample > 0 && c.Sample < len(indices) {
		share := float64(c.Sample) / float64(len(indices))
		_, drawn, err := head.HoldOut(labels, len(c.Data.Classes), nil, share, c.Seed)
		if err != nil {
			return err
		}
		for i, at := range drawn {
			drawn[i], labels[i] = indices[at], labels[at]
		}
		indices, labels = drawn, labels[:len(drawn)]
	}
	slices.Sort(labels)
	switch kinds := len(slices.Compact(labels)); {
	case kinds < 2:
		return fmt.Errorf("%s of %s hold %d classes with images, want 2 or more to tell apart", strings.Join(c.Splits, ", "), c.Data.Path, kinds)
	case len(indices) < leastImages:
		return fmt.Errorf("a sample of %d images, want %d or more", len(indices), leastImages)
	}
	return c.Data.Keep(indices)
}

// deal gives every row a fold below n, drawn so that each fold has its share of
// every class.
func deal(labels []int, classes, n int, seed uint64) []int {
	byClass := make([][]int, classes)
	for i, y := range labels {
		byClass[y] = append(byClass[y], i)
	}
	out := make([]int, len(labels))
	r := rand.New(rand.NewPCG(seed, 0x666f6c6473)) // "folds"
	next := 0
	for _, rows := range byClass {
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, i := range rows {
			out[i] = next % n
			next++
		}
	}
	return out
}
