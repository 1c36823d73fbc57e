package model

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// batches are how many images go into an inference, and how many inferences run at
// once. Which images share one does not depend on the latter.
type batches struct{ images, atOnce int }

func (p batches) BatchSize() int { return p.images * p.atOnce }

// each runs n images in batches.
func (p batches) each(ctx context.Context, n int, run func(ctx context.Context, lo, hi int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.atOnce)
	for lo := 0; lo < n; lo += p.images {
		g.Go(func() error { return run(ctx, lo, min(lo+p.images, n)) })
	}
	return g.Wait()
}
