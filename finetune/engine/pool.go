package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool keeps threads-1 helpers that wait for the parts of a step. They first spin, as the next step of a program
// follows within microseconds, and then sleep.
type pool struct {
	threads int
	spins   int
	mu      sync.Mutex // one program at a time
	job     func(part, parts int)
	parts   int
	round   atomic.Uint32
	left    atomic.Int32 // helpers not done
	caller  sleeper
	idle    func() bool
	helpers []sleeper
}

// sleeper is a goroutine that may wait in its sleep. Whoever takes the flag back owes, or is spared, one wake.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // neighbours on their own cache lines
}

// until returns when ready is true; who makes it true must call rouse afterwards. A rouse may come late, when the
// next wait has begun, so a wake is only a reason to look again.
func (s *sleeper) until(ready func() bool, spins int) {
	for {
		for range spins {
			if ready() {
				return
			}
		}
		s.asleep.Store(true)
		if ready() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.wake
	}
}

func (s *sleeper) rouse() {
	if s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// spins is how often a waiter looks before it sleeps: about a tenth of a millisecond. It must outlast the serial steps
// between parallel ones, and the time in which Go's scheduler moves a woken helper to an idle core: if the caller
// slept sooner, the helper would run in its place on the same core, and the two would take turns for ever.
const spins = 50_000

var pools struct {
	sync.Mutex
	byThreads map[int]*pool
}

// poolOf gives the pool of that many threads; it lives as long as the process and costs nothing while it sleeps.
func poolOf(threads int) *pool {
	pools.Lock()
	defer pools.Unlock()
	if p := pools.byThreads[threads]; p != nil {
		return p
	}
	p := &pool{threads: threads, helpers: make([]sleeper, threads-1)}
	if threads <= runtime.GOMAXPROCS(0) { // else a waiter would spin on the core that another needs
		p.spins = spins
	}
	p.caller.wake = make(chan struct{}, 1)
	p.idle = func() bool { return p.left.Load() == 0 }
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go p.help(i)
	}
	if pools.byThreads == nil {
		pools.byThreads = map[int]*pool{}
	}
	pools.byThreads[threads] = p
	return p
}

// do runs job(0,parts) … job(parts-1,parts), part 0 on the caller, and returns when all are done. Which part runs
// where is fixed.
func (p *pool) do(job func(part, parts int), parts int) {
	if parts <= 1 {
		job(0, 1)
		return
	}
	p.job, p.parts = job, parts
	p.left.Store(int32(len(p.helpers)))
	p.round.Add(1)
	for i := range p.helpers {
		p.helpers[i].rouse()
	}
	job(0, parts)
	p.caller.until(p.idle, p.spins)
}

func (p *pool) help(i int) {
	seen := uint32(0)
	begun := func() bool { return p.round.Load() != seen }
	for {
		p.helpers[i].until(begun, p.spins)
		seen++
		if i+1 < p.parts {
			p.job(i+1, p.parts)
		}
		if p.left.Add(-1) == 0 {
			p.caller.rouse()
		}
	}
}

// chunk cuts n items into equal parts at multiples of align.
func chunk(n, align, part, parts int) (lo, hi int) {
	blocks := (n + align - 1) / align
	return min(n, blocks*part/parts*align), min(n, blocks*(part+1)/parts*align)
}
