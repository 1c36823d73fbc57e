package audit

import (
	"context"
	"fmt"
	"slices"

	"graft/finetune/head"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// Features says what an audit with an embedding store went by, in the report.
type Features struct {
	Store string   `json:"store"`
	Taps  []string `json:"taps"`
	Dim   int      `json:"dim"`
	Rows  int      `json:"rows"` // of train
}

// End picks the taps that an audit goes by unless told: cls, mean and pool, as far as
// there are such, else the first. More taps know more, and cost more than they tell.
func End(known []string) []string {
	out := slices.DeleteFunc(slices.Clone(known), func(tap string) bool { return tap != "cls" && tap != "mean" && tap != "pool" })
	if len(out) == 0 {
		return taps.First(known)
	}
	return out
}

// checkStore refuses a store of another dataset.
func (a *auditor) checkStore(ctx context.Context) error {
	of := a.Store.Manifest().Dataset
	fingerprint, err := a.Data.Fingerprint(ctx)
	if err != nil {
		return err
	}
	if fingerprint != of.Fingerprint {
		return fmt.Errorf("store %s holds the features of %s with fingerprint %s; %s has %s: name the dataset that it was extracted from, or extract again",
			a.Store.Dir(), of.Name, of.Fingerprint, a.Data.Path, fingerprint)
	}
	a.Taps, err = taps.Resolve("store "+a.Store.Dir(), a.Store.Taps(), a.Taps, End)
	return err
}

// findByFeatures is what an embedding store tells: labels that are probably wrong,
// classes that are confused, outliers. Where there is nothing to learn from, a note
// of the report says so.
func (a *auditor) findByFeatures(ctx context.Context, r *Report) error {
	if !slices.Contains(a.Store.Splits(), dataset.Train) {
		r.Notes = append(r.Notes, "the store has no split train to learn from: labels and outliers are not judged")
		return nil
	}
	train, err := a.Store.Matrix(a.Taps, dataset.Train)
	if err != nil {
		return err
	}
	r.Features = &Features{a.Store.Dir(), a.Taps, train.Dim, len(train.Labels)}
	if err := a.findDoubts(ctx, r, train); err != nil {
		return err
	}
	return a.findOutliers(ctx, r, train)
}

// held are the store's splits beside train that have rows.
func (a *auditor) held() (splits []string) {
	for _, s := range a.Store.Splits() {
		if s != dataset.Train && a.Store.Info().Splits[s] > 0 {
			splits = append(splits, s)
		}
	}
	return splits
}

// groupsOf are the groups of a matrix' rows.
func (a *auditor) groupsOf(m store.Matrix) []int {
	groups := make([]int, len(m.Indices))
	for i, at := range m.Indices {
		groups[i] = a.kin[at]
	}
	return groups
}

// eachBlock calls f for the rows of m, a few megabytes of features at a time.
func eachBlock(ctx context.Context, m store.Matrix, f func(from, to int) error) error {
	const values = 1 << 22
	rows := max(1, values/m.Dim)
	for from := 0; from < len(m.Labels); from += rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(from, min(from+rows, len(m.Labels))); err != nil {
			return err
		}
	}
	return nil
}

// heads are what judges labels: of rows of train the one of their fold, which has not
// seen them, of others one that is fitted to all of train.
type heads struct {
	whole   *head.Linear
	fold    []int // of train's rows
	of      []*head.Linear
	threads int
}

// logits are those of rows from to to of m, train or another split.
func (h heads) logits(m store.Matrix, train bool, from, to int) []float32 {
	if !train {
		return h.whole.Logits(m.X[from*m.Dim:to*m.Dim], to-from, h.threads)
	}
	out := make([]float32, (to-from)*h.whole.Classes)
	for f, l := range h.of {
		var rows []int
		var x []float32
		for i := from; i < to; i++ {
			if h.fold[i] == f {
				rows, x = append(rows, i-from), append(x, m.X[i*m.Dim:(i+1)*m.Dim]...)
			}
		}
		z := l.Logits(x, len(rows), h.threads)
		for k, i := range rows {
			copy(out[i*l.Classes:(i+1)*l.Classes], z[k*l.Classes:])
		}
	}
	return out
}
