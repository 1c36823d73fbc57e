package engine

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestPool runs many short rounds, some after pauses in which the helpers fall asleep, and counts the parts.
func TestPool(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := poolOf(threads)
		counts := make([]atomic.Int64, threads)
		rounds := 3000
		for i := range rounds {
			parts := 1 + i%threads
			p.do(func(part, total int) {
				if total != parts {
					t.Errorf("wanted %d parts, got %d", parts, total)
				}
				counts[part].Add(1)
			}, parts)
			if i%1000 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		for part := range counts {
			want := int64(0)
			for i := range rounds {
				if part <= i%threads {
					want++
				}
			}
			if got := counts[part].Load(); got != want {
				t.Errorf("%d threads: part %d ran %d times, wanted %d", threads, part, got, want)
			}
		}
	}
	if first := poolOf(2); first != poolOf(2) {
		t.Error("one number of threads has two pools")
	}
}

// TestPoolWithoutHelpers has helpers that never get a core: the caller must do their parts.
func TestPoolWithoutHelpers(t *testing.T) {
	p := &pool{threads: 4, helpers: make([]sleeper, 3)}
	p.caller.wake = make(chan struct{}, 1)
	p.idle = func() bool { return p.left.Load() == 0 }
	for round := range 3 {
		var done [4]int
		p.do(func(part, parts int) { done[part]++ }, len(done))
		if done != [4]int{1, 1, 1, 1} {
			t.Fatalf("round %d: parts were run %v times, wanted each once", round, done)
		}
	}
}

func TestChunkCoversAll(t *testing.T) {
	for _, n := range []int{1, 7, 16, 100, 1000} {
		for _, align := range []int{1, 16} {
			for parts := 1; parts < 9; parts++ {
				next := 0
				for part := range parts {
					lo, hi := chunk(n, align, part, parts)
					if lo != next || hi < lo || (hi != n && hi%align != 0) {
						t.Errorf("chunk(%d, %d, %d, %d) = %d, %d after %d", n, align, part, parts, lo, hi, next)
					}
					next = hi
				}
				if next != n {
					t.Errorf("%d items in %d parts: only %d", n, parts, next)
				}
			}
		}
	}
}
