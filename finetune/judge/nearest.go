package judge

import (
	"cmp"
	"context"
	"fmt"

	"graft/finetune/knn"
	"graft/finetune/load"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// NearestConfig says how to judge embeddings by their nearest neighbours.
type NearestConfig struct {
	Embeddings  string   // the store's folder
	Taps        []string // words as taps.Resolve takes them; none: all that the store holds
	K           int      // neighbours that vote
	Vote        knn.Vote // how they are counted; empty: knn.Weighted
	UseFlip     bool     // mirrored images are neighbours too, and the votes of an image and its mirror image are averaged
	Center      bool     // cosines of what features differ in from the mean of train's, which all images share
	Splits      []string // none: public-test, and where there is none, all but train
	Predictions string   // folder for predictions-<split>.csv; empty for none
	Threads     int      // 0: all cores
	Progress    load.Progress
}

// EvaluateNearest judges a store without training anything: every image gets
// the labels of its K nearest neighbours in train, by the cosine of their
// features, the taps side by side. Probabilities are shares of the votes, so
// that a class without a vote has 0 (which the loss counts as 2^-52). Images of
// train are judged by the others of train.
func EvaluateNearest(ctx context.Context, c NearestConfig) (e Evaluation, err error) {
	c.Vote = cmp.Or(c.Vote, knn.Weighted)
	if c.K < 1 {
		return e, fmt.Errorf("%d nearest neighbours, want 1 or more", c.K)
	}
	s, err := store.Open(c.Embeddings)
	if err != nil {
		return e, err
	}
	table := load.StoreSplits(s)
	splits, err := table.Judged(c.Splits)
	if err != nil {
		return e, err
	}
	if table.Rows[dataset.Train] == 0 {
		return e, fmt.Errorf("%s has no rows of %s, whose labels the neighbours have", table.Where, dataset.Train)
	}
	n := nearest{NearestConfig: c, store: s}
	if err := n.index(); err != nil {
		return e, err
	}
	if note := run.RandomNote(s.Manifest().Backbone.Source); note != "" {
		e.Notes = append(e.Notes, note)
	}
	e.Notes = append(e.Notes, n.train.AbsentClasses(s.Classes())...)
	name := fmt.Sprintf("%s: %d nearest neighbours, %s votes", runName(s.Dir()), c.K, c.Vote)
	if c.Center {
		name += ", centred"
	}
	m := memory{n.train.Contents, "train, whose labels the neighbours have"}
	if n.train.Contents == nil {
		m = memory{}
	}
	e.Notes = append(e.Notes, m.notes()...)
	e.Reports, err = judge(name, m, s.Classes(), splits, c.Predictions, func(split string) (answers, error) {
		return n.answers(ctx, split)
	})
	return e, err
}

// nearest is an evaluation under way.
type nearest struct {
	NearestConfig
	store *store.Store
	train load.Features
	mean  []float32 // of train's features, nil where they are not centred
	found *knn.Index
}

// load reads a split, with UseFlip the mirrored rows below the others.
func (n *nearest) load(split string) (load.Features, error) {
	return load.ReadFeatures(n.store, n.Taps, split, n.UseFlip)
}

func (n *nearest) index() (err error) {
	if n.train, err = n.load(dataset.Train); err != nil {
		return err
	}
	if n.Center {
		n.mean = columnMeans(n.train.X, n.train.Dim)
		subtract(n.train.X, n.mean)
	}
	n.found, err = knn.New(n.train.X, n.train.Dim, n.train.Labels, len(n.store.Classes()), n.Threads)
	return n.about(dataset.Train, err)
}

// answers are the votes on a split's images.
func (n *nearest) answers(ctx context.Context, split string) (a answers, err error) {
	progress := n.Progress.Of("comparing " + split + " (images)")
	var nb knn.Neighbours
	f := n.train
	if split == dataset.Train {
		// An image, its mirrored twin and its near duplicates do not vote for each other.
		nb, err = n.found.LeaveOneOut(ctx, n.K, f.Apart(), progress)
		if f.Groups != nil {
			f.Seen = make([]bool, len(f.Labels))
		}
	} else {
		if f, err = n.load(split); err != nil {
			return a, err
		}
		if n.Center {
			subtract(f.X, n.mean)
		}
		nb, err = n.found.Search(ctx, f.X, n.K, progress)
	}
	if err != nil {
		return a, n.about(split, err)
	}
	a.Rows, a.probs = f.Rows, n.found.Shares(nb, n.Vote)
	if n.UseFlip {
		a.halve()
	}
	return a, nil
}

// columnMeans are the means of the columns of x [n,dim].
func columnMeans(x []float32, dim int) []float32 {
	sums := make([]float64, dim)
	for i, v := range x {
		sums[i%dim] += float64(v)
	}
	means := make([]float32, dim)
	for j, s := range sums {
		means[j] = float32(s / float64(len(x)/dim))
	}
	return means
}

// subtract takes the vector v from every row of x.
func subtract(x, v []float32) {
	for i := range x {
		x[i] -= v[i%len(v)]
	}
}

// about says which rows an error of knn speaks of.
func (n *nearest) about(split string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store %s, split %s: %w", n.store.Dir(), split, err)
}

// halve averages the second half, of the mirrored images, into the first.
func (a *answers) halve() {
	n, values := len(a.Labels)/2, len(a.probs)/2
	for i, p := range a.probs[values:] {
		a.probs[i] = (a.probs[i] + p) / 2
	}
	a.probs = a.probs[:values]
	a.Rows = a.First(n)
}
