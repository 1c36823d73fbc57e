package engine

import (
	"fmt"

	"graft/graph"
	"graft/graph/engine/dense"
	"graft/graph/engine/vec"
)

// collectChecks finds what CheckNaN looks at: scalar outputs, and everything computed that the updates read.
func (c *compiler) collectChecks() {
	seen := map[place]bool{}
	check := func(p place) {
		if !seen[p] && !isLeaf(p.node) && p.node.Type() == graph.Float {
			seen[p] = true
			c.program.checked = append(c.program.checked, checkedValue{p, c.buffers[p]})
		}
	}
	for _, n := range c.outputs {
		if n.Shape().Size() == 1 {
			check(place{c.root(n), plain})
		}
	}
	for _, i := range c.code {
		for _, p := range i.in {
			if u := c.of[p.node]; i.unit != nil && i.unit.late && u != nil && !u.late && c.before(u) {
				check(p)
			}
		}
	}
}

// checkAll lists every value in the order of computation.
func (c *compiler) checkAll() {
	for _, i := range c.code {
		for _, p := range i.out {
			c.program.checked = append(c.program.checked, checkedValue{p, c.buffers[p]})
		}
	}
}

// before tells whether a unit runs before the first late one.
func (c *compiler) before(u *unit) bool {
	for _, v := range c.order {
		if v.late {
			return false
		}
		if v == u {
			return true
		}
	}
	return false
}

// checkFinite looks at the step so far; only if something is wrong does it search for where that began.
func (p *Program) checkFinite() error {
	for _, v := range p.checked {
		// A sum is finite only if all its terms are; if it overflows without, the search finds nothing.
		if !finite(vec.Sum(v.data)) && firstNotFinite(v.place, v.data) >= 0 {
			return p.diagnose(v.place.node)
		}
	}
	return nil
}

// firstNotFinite is the index of the first NaN or infinity among a value's elements, -1 if there is none.
func firstNotFinite(p place, data []float32) int {
	for i, x := range data {
		if finite(x) {
			continue
		}
		if p.layout == lanes {
			s := p.node.Shape()
			if block := i / (vec.Lanes * s[1:].Size()); block*vec.Lanes+i%vec.Lanes >= s[0] {
				continue // a lane past the last image
			}
		}
		return i
	}
	return -1
}

// diagnose runs the step again on a program that keeps every value, and names the first operation whose result is not
// finite though its operands are.
func (p *Program) diagnose(found *graph.Node) error {
	if p.diagnosis == nil {
		d, err := compile(p.graph, p.wanted.outputs, p.wanted.updates, Options{Threads: p.pool.threads}, true)
		if err != nil {
			return fmt.Errorf("engine: %v is not finite; searching for the cause: %w", found, err)
		}
		p.diagnosis = d
	}
	d := p.diagnosis
	for n, t := range p.values {
		if to := d.values[n]; isLeaf(n) && to != nil {
			v := dense.Float32s(t)
			copy(dense.Float32s(to), v)
			if at := firstNotFinite(place{n, plain}, v); at >= 0 {
				return fmt.Errorf("engine: %v is not finite because %s %s holds %v at element %d before the step",
					found, n.Op(), n.Name(), v[at], at)
			}
		}
	}
	for i := range d.steps {
		d.pool.do(d.steps[i].run, d.steps[i].parts)
	}
	for _, v := range d.checked {
		if at := firstNotFinite(v.place, v.data); at >= 0 {
			return fmt.Errorf("engine: %v is not finite: the first operation to give %v is %v, at element %d; its operands are %v",
				found, v.data[at], v.place.node, at, v.place.node.Inputs())
		}
	}
	return fmt.Errorf("engine: %v is not finite, but running the step again did not show where", found)
}
