package engine

import (
	"slices"

	"graft/graph"
)

// unit is what is executed as one: an operation, or fused element-wise ones over equally many elements.
type unit struct {
	nodes []*graph.Node // operands first
	fused bool
	late  bool // writes an updated parameter, and only updates depend on it

	// What an operation is that reads other values than its nodes' operands.
	heads   attending
	weight  *weight
	sources []*graph.Node // the roots that it reads
}

// first orders units that could run in any order as the graph was written.
func (u *unit) first() int { return u.nodes[0].ID() }

// maxFused bounds a fused unit, and with it the number of its temporaries.
const maxFused = 48

// units is the nodes in groups, and the groups in order.
type units struct {
	*simplified
	of      map[*graph.Node]*unit // by root
	readers map[*graph.Node][]*unit
	results map[*graph.Node]bool // roots of outputs and of new values of parameters
	order   []*unit
}

// group fuses element-wise operations, unless told not to, and orders the units with updates last.
func group(s *simplified, fuse, weights bool) *units {
	us := &units{simplified: s, of: map[*graph.Node]*unit{}}
	if fuse {
		us.findAttentions()
		if weights {
			us.findWeights()
		}
		us.dropNeedless()
	}
	for _, n := range s.nodes {
		if us.of[n] != nil {
			continue
		}
		u := &unit{nodes: []*graph.Node{n}, fused: fuses(n)}
		us.of[n] = u
		if u.fused && fuse {
			us.merge(u)
		}
	}
	us.findReaders()
	us.markLate()
	us.sort()
	return us
}

// findReaders notes who needs a value.
func (us *units) findReaders() {
	us.readers, us.results = map[*graph.Node][]*unit{}, us.resultRoots()
	for _, u := range us.all() {
		for _, root := range us.reads(u) {
			us.readers[root] = append(us.readers[root], u)
		}
	}
}

// resultRoots are the roots of outputs and of new values of parameters.
func (us *units) resultRoots() map[*graph.Node]bool {
	out := map[*graph.Node]bool{}
	for _, n := range us.outputs {
		out[us.root(n)] = true
	}
	for _, up := range us.updates {
		out[us.root(up.Value)] = true
	}
	return out
}

// reads lists the roots that a unit's nodes read, its own among them.
func (us *units) reads(u *unit) []*graph.Node {
	if u.sources != nil {
		return u.sources
	}
	var out []*graph.Node
	for _, n := range u.nodes {
		for _, x := range n.Inputs() {
			out = append(out, us.root(x))
		}
	}
	return out
}

// external tells whether a fused unit's value is read outside of it.
func (us *units) external(n *graph.Node, u *unit) bool {
	return us.results[n] || slices.ContainsFunc(us.readers[n], func(v *unit) bool { return v != u })
}

// merge joins a new element-wise node with the fused units that feed it, where no other unit lies between.
func (us *units) merge(u *unit) {
	size := u.nodes[0].Shape().Size()
	for _, x := range u.nodes[len(u.nodes)-1].Inputs() {
		v := us.of[us.root(x)]
		if v == nil || v == u || !v.fused || us.root(x).Shape().Size() != size || len(u.nodes)+len(v.nodes) > maxFused {
			continue
		}
		if us.readsGradient(u, v) || us.readsGradient(v, u) || us.between(v, u) || us.between(u, v) {
			continue
		}
		v.nodes = append(v.nodes, u.nodes...)
		slices.SortFunc(v.nodes, func(a, b *graph.Node) int { return a.ID() - b.ID() })
		for _, n := range u.nodes {
			us.of[n] = v
		}
		u = v
	}
}

// readsGradient tells whether a unit reads a gradient that another one makes. Such units stay apart, so that gradients
// are checked before parameters change.
func (us *units) readsGradient(u, from *unit) bool {
	for _, n := range u.nodes {
		for _, x := range n.Inputs() {
			if root := us.root(x); us.gradients[root] && us.of[root] == from {
				return true
			}
		}
	}
	return false
}

// feeds lists the units whose values a unit reads, itself excepted.
func (us *units) feeds(u *unit) []*unit {
	var out []*unit
	for _, root := range us.reads(u) {
		if v := us.of[root]; v != nil && v != u && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// dropNeedless keeps the nodes that results depend on, now that units read past copies.
func (us *units) dropNeedless() {
	live := map[*graph.Node]bool{}
	var mark func(n *graph.Node)
	mark = func(n *graph.Node) {
		if live[n] {
			return
		}
		live[n] = true
		if u := us.of[n]; u != nil {
			for _, inner := range u.nodes {
				live[inner] = true
			}
			for _, x := range u.sources {
				mark(x)
			}
			return
		}
		for _, x := range n.Inputs() {
			mark(us.root(x))
		}
	}
	for n := range us.resultRoots() {
		mark(n)
	}
	us.nodes = slices.DeleteFunc(us.nodes, func(n *graph.Node) bool { return !live[n] })
}

// between tells whether to depends on from by way of a third unit.
func (us *units) between(from, to *unit) bool {
	seen := map[*unit]bool{to: true}
	var reaches func(u *unit) bool
	reaches = func(u *unit) bool {
		for _, v := range us.feeds(u) {
			if v == from && u != to {
				return true
			}
			// Units are joined from nodes far apart, so that the order of numbers does not rule any of them out.
			if v != from && !seen[v] {
				seen[v] = true
				if reaches(v) {
					return true
				}
			}
		}
		return false
	}
	return reaches(to)
}

// all lists the distinct units by first node.
func (us *units) all() []*unit {
	var out []*unit
	seen := map[*unit]bool{}
	for _, n := range us.nodes {
		if u := us.of[n]; !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out
}

// markLate finds the units that may wait until everything else is computed and checked.
func (us *units) markLate() {
	early := map[*unit]bool{}
	var mark func(u *unit)
	mark = func(u *unit) {
		if u == nil || early[u] {
			return
		}
		early[u] = true
		for _, v := range us.feeds(u) {
			mark(v)
		}
	}
	for _, n := range us.outputs {
		mark(us.of[us.root(n)])
	}
	for _, up := range us.updates {
		if u := us.of[us.root(up.Value)]; u != nil && !early[u] {
			u.late = true
		}
	}
}

// sort orders the units so that operands come first, late ones last, and the rest as written.
func (us *units) sort() {
	waits, users := map[*unit]int{}, map[*unit][]*unit{}
	var ready []*unit
	for _, u := range us.all() {
		feeds := us.feeds(u)
		waits[u] = len(feeds)
		for _, v := range feeds {
			users[v] = append(users[v], u)
		}
		if len(feeds) == 0 {
			ready = append(ready, u)
		}
	}
	for len(ready) > 0 {
		next := slices.MinFunc(ready, func(a, b *unit) int {
			switch {
			case a.late == b.late:
				return a.first() - b.first()
			case a.late:
				return 1
			}
			return -1
		})
		ready = slices.DeleteFunc(ready, func(u *unit) bool { return u == next })
		us.order = append(us.order, next)
		for _, u := range users[next] {
			if waits[u]--; waits[u] == 0 {
				ready = append(ready, u)
			}
		}
	}
}
