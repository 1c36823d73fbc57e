package head

import (
	"context"
	"fmt"
	"time"
)

// FitFolds fits folds heads of strength o.Lambda, each to the rows of x [n,d] outside its
// fold, so that it knows nothing of the rows in it: fold [n] is each row's, from 0 to
// folds-1, as Folds gives it. No features are copied.
func FitFolds(ctx context.Context, x []float32, n, d int, y []int, classes int, fold []int, folds int, o LBFGSOptions) ([]*Linear, error) {
	if len(fold) != n {
		return nil, fmt.Errorf("%d fold numbers, want %d", len(fold), n)
	}
	p, err := newProblem(x, n, d, y, classes, o)
	if err != nil {
		return nil, err
	}
	heads := make([]*Linear, folds)
	for f := range heads {
		began := time.Now()
		p.rows = p.rows[:0]
		for i, of := range fold {
			if of != f {
				p.rows = append(p.rows, i)
			}
		}
		if len(p.rows) == 0 {
			return nil, fmt.Errorf("no row lies outside fold %d", f)
		}
		if err := p.measure(); err != nil {
			return nil, err
		}
		if heads[f], _, err = p.fit(ctx, o, began); err != nil {
			return nil, fmt.Errorf("fold %d: %w", f, err)
		}
	}
	return heads, nil
}
