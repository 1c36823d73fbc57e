package engine

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"gorgonia.org/tensor"

	"graft/graph"
	"graft/graph/engine/dense"
)

// Options of a program.
type Options struct {
	Threads  int  // cores used, 0 for all
	CheckNaN bool // stop a step whose scalar outputs or gradients are not finite, before parameters change

	// Weights, if set, hold the parameters, which other programs with them share.
	Weights *Weights
}

// Program is a compiled graph with its parameters' values. It must not be used by several goroutines at once.
type Program struct {
	graph   *graph.Graph
	options Options
	pool    *pool
	steps   []step
	commits []commit
	values  map[*graph.Node]*tensor.Dense // inputs, parameters and outputs
	roots   map[*graph.Node]*graph.Node
	check   int // index of the first step of the updates
	checked []checkedValue
	fault   fault

	wanted struct {
		outputs []*graph.Node
		updates []graph.Update
	}
	diagnosis *Program // same graph, every value kept; compiled when first needed
}

// step is one parallel loop; run must be safe for its parts at once.
type step struct {
	node  *graph.Node
	parts int
	run   func(part, parts int)
}

// commit copies a new value into a parameter when everything else is done.
type commit struct{ dst, src []float32 }

type checkedValue struct {
	place place
	data  []float32
}

// fault is the first error of a step's kernels, which may run at once.
type fault struct {
	mu  sync.Mutex
	err error
}

func (f *fault) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *fault) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.err
	f.err = nil
	return err
}

// Compile prepares a graph for running: the outputs that are wanted after each step, and the updates (usually
// g.Updates(), none for inference). Parameters start from their initial values.
func Compile(g *graph.Graph, outputs []*graph.Node, updates []graph.Update, o Options) (*Program, error) {
	return compile(g, outputs, updates, o, false)
}

// Run does one step: computes the outputs and then gives the parameters their new values. If ctx ends while outputs are
// computed, an index of a Gather is outside of its table, or CheckNaN finds something, it returns an error before any
// parameter changes.
func (p *Program) Run(ctx context.Context) error {
	if p.pool.threads > 1 { // without helpers, programs do not meet
		p.pool.mu.Lock()
		defer p.pool.mu.Unlock()
	}
	for i := range p.steps[:p.check] {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.pool.do(p.steps[i].run, p.steps[i].parts)
	}
	if err := p.fault.take(); err != nil {
		return err
	}
	if p.options.CheckNaN {
		if err := p.checkFinite(); err != nil {
			return err
		}
	}
	for i := p.check; i < len(p.steps); i++ {
		p.pool.do(p.steps[i].run, p.steps[i].parts)
	}
	for _, c := range p.commits {
		copy(c.dst, c.src)
	}
	return p.fault.take()
}

// Set copies values, row-major, into an input or parameter.
func (p *Program) Set(n *graph.Node, v []float32) error {
	if n == nil || (n.Op() != graph.OpInput && n.Op() != graph.OpParameter) {
		return fmt.Errorf("engine: set: wanted an input or parameter, got %v", n)
	}
	if p.options.Weights != nil && n.Op() == graph.OpParameter {
		return fmt.Errorf("engine: set %v: the program shares its weights", n)
	}
	t := p.values[n]
	if t == nil {
		return fmt.Errorf("engine: set %v: the program does not use it", n)
	}
	dst := dense.Float32s(t)
	if len(v) != len(dst) {
		return fmt.Errorf("engine: set %v: wanted %d values, got %d", n, len(dst), len(v))
	}
	copy(dst, v)
	return nil
}

// Value is an input's, parameter's or output's value, row-major; nil for nodes that are none. The slice belongs to the
// program: outputs change with the next step; inputs and parameters may be written through it between steps, which
// saves the copy that Set makes.
func (p *Program) Value(n *graph.Node) []float32 {
	if t := p.Tensor(n); t != nil {
		return dense.Float32s(t)
	}
	return nil
}

// Tensor is Value as a gorgonia tensor over the same memory, nil for nodes that have none.
func (p *Program) Tensor(n *graph.Node) *tensor.Dense {
	if t := p.values[n]; t != nil {
		return t
	}
	return p.values[p.roots[n]]
}

// Parameter is the value of the parameter of that name, as Value gives it; nil if the program has none.
func (p *Program) Parameter(name string) []float32 {
	if n := p.graph.Lookup(name); n != nil && n.Op() == graph.OpParameter {
		return p.Value(n)
	}
	return nil
}

func threadsOf(o Options) int {
	if o.Threads > 0 {
		return min(o.Threads, maxParts)
	}
	return runtime.GOMAXPROCS(0)
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
