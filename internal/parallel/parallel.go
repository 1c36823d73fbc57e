// Package parallel spreads loops over goroutines.
package parallel

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// For calls work for every i below n, on as many goroutines as Go may use cores.
// After a failure or the end of ctx no more is begun. The error is that of the
// lowest i that failed, whatever the timing, else ctx's. progress, which may be
// nil, is told how many are done, one call after the other and always more.
func For(ctx context.Context, n int, progress func(done, total int64), work func(i int) error) error {
	return ForOn(ctx, runtime.GOMAXPROCS(0), n, progress, work)
}

// ForOn is For on so many goroutines.
func ForOn(ctx context.Context, goroutines, n int, progress func(done, total int64), work func(i int) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var done int64
	var first error
	failed := n // the lowest i that did
	loop := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			err := work(i)
			mu.Lock()
			switch {
			case err == nil:
				if done++; progress != nil {
					progress(done, int64(n))
				}
			case i < failed: // all below i have begun, and will tell
				failed, first = i, err
				next.Store(int64(n))
			}
			mu.Unlock()
		}
	}
	var wait sync.WaitGroup
	for range min(n, goroutines) {
		wait.Go(loop)
	}
	wait.Wait()
	return cmp.Or(first, ctx.Err())
}

// Parts cuts [0,n) into so many parts, or n if that is less, and calls work for
// all of them at once.
func Parts(n, parts int, work func(part, from, to int)) {
	parts = min(parts, n)
	var wait sync.WaitGroup
	for p := range parts {
		wait.Go(func() { work(p, p*n/parts, (p+1)*n/parts) })
	}
	wait.Wait()
}

// Group runs functions of one kind or another on a bounded number of goroutines, all of
// them to their end. The zero value is unbounded.
type Group struct {
	errgroup.Group
	errs []*error // of each function, in the order of the calls of Go
}

// Go calls f on a goroutine as soon as the limit allows. It is not for several goroutines.
func (g *Group) Go(f func() error) {
	err := new(error)
	g.errs = append(g.errs, err)
	g.Group.Go(func() error { *err = f(); return nil })
}

// Wait waits for all; the error is that of the function first given to Go of those that
// failed, whatever the timing.
func (g *Group) Wait() error {
	_ = g.Group.Wait()
	for _, err := range g.errs {
		if *err != nil {
			return *err
		}
	}
	return nil
}
