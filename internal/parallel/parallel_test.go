package parallel_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"graft/internal/parallel"
)

func ExampleFor() {
	squares := make([]int, 5)
	err := parallel.For(context.Background(), len(squares), nil, func(i int) error {
		squares[i] = i * i
		return nil
	})
	fmt.Println(squares, err)
	// Output: [0 1 4 9 16] <nil>
}

// Whoever fails first by the clock: the error is the lowest index's, and nothing
// is begun after it.
func TestForReturnsTheFirstError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for range 20 {
		var begun atomic.Int64
		err := parallel.For(context.Background(), 1000, nil, func(i int) error {
			begun.Add(1)
			switch i {
			case 2: // the last to say so
				time.Sleep(5 * time.Millisecond)
				return errors.New("first")
			case 3, 4:
				return errors.New("later")
			}
			return nil
		})
		if err == nil || err.Error() != "first" {
			t.Fatalf("%v, want the first", err)
		}
		if n := begun.Load(); n > 900 {
			t.Errorf("%d begun after a failure", n)
		}
	}
}

func TestGroupReturnsTheFirstError(t *testing.T) {
	for range 20 {
		var g parallel.Group
		ran := make([]bool, 4)
		for i := range ran {
			g.Go(func() error {
				ran[i] = true
				switch i {
				case 1: // the last to say so
					time.Sleep(5 * time.Millisecond)
					return errors.New("first")
				case 2, 3:
					return errors.New("later")
				}
				return nil
			})
		}
		if err := g.Wait(); err == nil || err.Error() != "first" || slices.Contains(ran, false) {
			t.Fatalf("%v, %v; want all to have run, and the first error", err, ran)
		}
	}
	if err := new(parallel.Group).Wait(); err != nil {
		t.Error(err)
	}
}

func TestForCountsUpwards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	last := int64(0)
	err := parallel.For(context.Background(), 1000, func(done, total int64) {
		if done != last+1 || total != 1000 {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}, func(int) error { return nil })
	if err != nil || last != 1000 {
		t.Errorf("%d done, %v", last, err)
	}
}

func TestForEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var begun atomic.Int64
	err := parallel.For(ctx, 1<<30, nil, func(int) error {
		if begun.Add(1) == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPartsCoverAll(t *testing.T) {
	for n := range 20 {
		for parts := 1; parts < 6; parts++ {
			seen := make([]int, n)
			parallel.Parts(n, parts, func(part, from, to int) {
				if part >= parts || from >= to {
					t.Errorf("n %d: part %d of %d is [%d,%d)", n, part, parts, from, to)
				}
				for i := from; i < to; i++ {
					seen[i]++
				}
			})
			for i, times := range seen {
				if times != 1 {
					t.Errorf("n %d, %d parts: %d comes %d times", n, parts, i, times)
				}
			}
		}
	}
}
