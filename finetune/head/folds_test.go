package head

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// A fold's head is the one that is fitted to the other rows alone.
func TestFitFolds(t *testing.T) {
	const n, d, classes, folds = 600, 9, 4, 3
	x, y := blobs(31, n, d, classes, 2)
	fold, err := Folds(y, classes, nil, folds, 1)
	if err != nil {
		t.Fatal(err)
	}
	o := LBFGSOptions{Lambda: 0.01}
	heads, err := FitFolds(context.Background(), x, n, d, y, classes, fold, folds, o)
	if err != nil {
		t.Fatal(err)
	}
	for f := range folds {
		var others []float32
		var labels []int
		for i := range n {
			if fold[i] != f {
				others, labels = append(others, x[i*d:(i+1)*d]...), append(labels, y[i])
			}
		}
		want, _, err := FitLBFGS(context.Background(), others, len(labels), d, labels, classes, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(heads[f].W, want.W) || !slices.Equal(heads[f].B, want.B) || !slices.Equal(heads[f].Mean, want.Mean) {
			t.Errorf("fold %d: another head than that of the other rows", f)
		}
	}
	for want, fold := range map[string][]int{"2 fold numbers": {0, 1}, "outside fold 0": make([]int, n)} {
		if _, err := FitFolds(context.Background(), x, n, d, y, classes, fold, folds, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
