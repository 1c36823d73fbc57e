package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool keeps threads-1 helpers that wait for the parts of a step. They first spin, as the next step of a program
// follows within microseconds, and then sleep. Whoever is free takes the next part, so that a helper which the
// operating system has put aside for another process costs no more than the part it holds.
type pool struct {
	threads int
	spins   int
	mu      sync.Mutex    // one program at a time
	job     atomic.Value  // of the round under way: func(part, parts int)
	state   atomic.Uint64 // round, its number of parts, the first part not taken: 32, 16 and 16 bits
	left    atomic.Int32  // parts not done
	caller  sleeper
	idle    func() bool
	helpers []sleeper
}

// maxParts is what the pool's state has room for.
const maxParts = 1<<16 - 1

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

// do runs job(0,parts) … job(parts-1,parts), on the caller and the helpers, and returns when all are done. How the work is
// cut is fixed, and with it every bit; who does which part is not.
func (p *pool) do(job func(part, parts int), parts int) {
	if parts <= 1 {
		job(0, 1)
		return
	}
	round := uint32(p.state.Load()>>32) + 1
	p.job.Store(job)
	p.left.Store(int32(parts))
	p.state.Store(uint64(round)<<32 | uint64(parts)<<16)
	for i := range min(len(p.helpers), parts-1) {
		p.helpers[i].rouse()
	}
	p.work(round)
	p.caller.until(p.idle, p.spins)
}

// work takes parts of a round until there are none. The job is read only with a part in hand, which keeps its round
// from ending: a helper that comes late takes nothing.
func (p *pool) work(round uint32) {
	for {
		s := p.state.Load()
		part, parts := int(s&0xffff), int(s>>16&0xffff)
		if uint32(s>>32) != round || part >= parts {
			return
		}
		if !p.state.CompareAndSwap(s, s+1) {
			continue
		}
		p.job.Load().(func(part, parts int))(part, parts)
		if p.left.Add(-1) == 0 {
			p.caller.rouse()
		}
	}
}

func (p *pool) help(i int) {
	seen := uint32(0)
	begun := func() bool { return uint32(p.state.Load()>>32) != seen }
	for {
		p.helpers[i].until(begun, p.spins)
		seen = uint32(p.state.Load() >> 32)
		p.work(seen)
	}
}

// chunk cuts n items into equal parts at multiples of align.
func chunk(n, align, part, parts int) (lo, hi int) {
	blocks := (n + align - 1) / align
	return min(n, blocks*part/parts*align), min(n, blocks*(part+1)/parts*align)
}
