package rank

import (
	"context"
	"fmt"
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
	groups  []int // of rows that belong together, which are on one side of every split; nil: each alone
	classes int
	seed    uint64
	threads int
}

// tap judges the features; it changes them.
func (j judged) tap(ctx context.Context, name string) (Tap, error) {
	t := Tap{Name: name, Dim: j.dim}
	var err error
	if t.right, err = j.probe(ctx); err != nil {
		return t, err
	}
	t.Probe = newScore(t.right)
	right, err := j.nearest(ctx)
	t.KNN = newScore(right)
	return t, err
}

// nearest tells of which images the neighbours among the others vote right.
func (j judged) nearest(ctx context.Context) ([]bool, error) {
	ix, err := knn.New(j.x, j.dim, j.labels, j.classes, j.threads)
	if err != nil {
		return nil, err
	}
	nb, err := ix.LeaveOneOut(ctx, min(neighbours, ix.Len()-largest(j.groups)), j.groups, nil)
	if err != nil {
		return nil, err
	}
	return hits(ix.Shares(nb, knn.Weighted), j.labels, j.classes), nil
}

// largest is the number of rows of the largest group.
func largest(groups []int) int {
	rows, most := map[int]int{}, 1
	for _, g := range groups {
		rows[g]++
		most = max(most, rows[g])
	}
	return most
}

// probe tells which images a linear head gets right that was fitted to the other
// folds.
func (j judged) probe(ctx context.Context) ([]bool, error) {
	fold, err := head.Folds(j.labels, j.classes, j.groups, folds, j.seed)
	if err != nil {
		return nil, err
	}
	right := make([]bool, len(j.labels))
	for f := range folds {
		fit, held, rows := j.split(fold, f)
		o := head.CVOptions{Grid: strengths, Seed: j.seed, Groups: fit.groups, LBFGS: head.LBFGSOptions{Tolerance: probeTolerance, Threads: j.threads}}
		l, _, _, err := head.FitCV(ctx, fit.x, len(fit.labels), j.dim, fit.labels, j.classes, o)
		if err != nil {
			return nil, err
		}
		for i, hit := range hits(l.Logits(held.x, len(held.labels), j.threads), held.labels, j.classes) {
			right[rows[i]] = hit
		}
	}
	return right, nil
}

// split copies the rows of a fold, which it numbers, and the others.
func (j judged) split(fold []int, f int) (fit, held judged, rows []int) {
	for i, y := range j.labels {
		to := &fit
		if fold[i] == f {
			to, rows = &held, append(rows, i)
		}
		to.x, to.labels = append(to.x, j.x[i*j.dim:(i+1)*j.dim]...), append(to.labels, y)
		if j.groups != nil {
			to.groups = append(to.groups, j.groups[i])
		}
	}
	return fit, held, rows
}

// hits tells the rows of scores [len(labels),classes] whose largest is their
// label's.
func hits(scores []float32, labels []int, classes int) []bool {
	right := make([]bool, len(labels))
	for i, y := range labels {
		right[i] = metrics.Argmax(scores[i*classes:(i+1)*classes]) == y
	}
	return right
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
