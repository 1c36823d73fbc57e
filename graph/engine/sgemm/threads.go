package sgemm

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Threads is the number of cores that a product or a loop may use; 0 means as
// many as Go may use (GOMAXPROCS). It changes no result by a single bit.
type Threads int

// Serial is for callers that spread their own work.
const Serial Threads = 1

// maxThreads bounds Threads, and with it the number of goroutines kept.
const maxThreads = 256

// Count is the number of cores that 0 and too large a number stand for.
func (t Threads) Count() int {
	if t <= 0 {
		t = Threads(runtime.GOMAXPROCS(0))
	}
	return int(min(t, maxThreads))
}

// For calls body(0) … body(n−1) and returns when all are done. Bodies may call
// Gemm. It allocates nothing.
func (t Threads) For(n int, body func(i int)) { spread(n, t.Count(), each(body)) }

type each func(int)

func (f each) task(i int) { f(i) }

// tasks is work in numbered parts that may run in any order and at once.
type tasks interface{ task(i int) }

// stage is one set of tasks under way. Helpers may hold it for a moment after
// its last task is done, so it is reused only when its last holder lets go.
type stage struct {
	work    tasks
	total   int64
	next    atomic.Int64 // first task not taken
	pending atomic.Int64 // tasks not done
	holders atomic.Int64
	done    chan struct{}
}

var (
	stages  = sync.Pool{New: func() any { return &stage{done: make(chan struct{}, 1)} }}
	calls   = make(chan *stage, maxThreads)
	helpers struct {
		sync.Mutex
		started atomic.Int64
	}
)

// spread runs the tasks on the caller and on up to threads−1 helpers. A helper
// that is busy elsewhere is not waited for: the caller takes what is left.
func spread(total, threads int, work tasks) {
	extra := min(threads, total) - 1
	if extra <= 0 {
		for i := range total {
			work.task(i)
		}
		return
	}
	startHelpers(extra)
	s := stages.Get().(*stage)
	s.work, s.total = work, int64(total)
	s.next.Store(0)
	s.pending.Store(int64(total))
	s.holders.Store(int64(extra) + 1)
	for range extra {
		select {
		case calls <- s:
		default: // every helper has more than enough to do
			s.holders.Add(-1)
		}
	}
	s.run()
	<-s.done
	s.release()
}

func (s *stage) run() {
	for {
		i := s.next.Add(1) - 1
		if i >= s.total {
			return
		}
		s.work.task(int(i))
		if s.pending.Add(-1) == 0 {
			s.done <- struct{}{}
		}
	}
}

func (s *stage) release() {
	if s.holders.Add(-1) == 0 {
		s.work = nil
		stages.Put(s)
	}
}

// startHelpers makes sure that n helpers wait for calls. They stay for good.
func startHelpers(n int) {
	if helpers.started.Load() >= int64(n) {
		return
	}
	helpers.Lock()
	defer helpers.Unlock()
	for helpers.started.Load() < int64(n) {
		go func() {
			for s := range calls {
				s.run()
				s.release()
			}
		}()
		helpers.started.Add(1)
	}
}
