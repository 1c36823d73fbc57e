package engine

import (
	"fmt"
	"slices"

	"graft/graph"
	"graft/graph/engine/dense"
	"graft/graph/engine/internal/pages"
)

// span is the run of instructions during which a value is needed.
type span struct{ from, to int }

// allocate gives every value its memory: leaves, outputs and staged updates their own, an update that nothing reads
// the old value after the parameter's, and all others a place in one arena, shared by values that never meet.
func (c *compiler) allocate() {
	spans := c.spans()
	c.own(spans)
	a := arena{}
	offsets := map[place]int{}
	for k, i := range c.code {
		var dying []place // each once, however often it is an operand
		for _, p := range i.in {
			if _, inArena := offsets[p]; inArena && spans[p].to == k && !slices.Contains(dying, p) {
				dying = append(dying, p)
			}
		}
		for _, out := range i.out {
			if c.buffers[out] != nil {
				continue
			}
			at := slices.IndexFunc(dying, func(in place) bool { return i.reuse != nil && i.reuse(in, out) })
			if at >= 0 {
				offsets[out] = offsets[dying[at]]
				dying = slices.Delete(dying, at, at+1)
			} else {
				offsets[out] = a.take(out.size())
			}
		}
		if c.keepAll {
			continue
		}
		for _, p := range dying {
			a.give(offsets[p], p.size())
		}
	}
	if c.counting {
		c.counted += a.size
		return
	}
	memory := pages.Floats(a.size)
	for p, at := range offsets {
		c.buffers[p] = memory[at : at+p.size() : at+p.size()]
	}
}

// spans finds the last reader of every value; results are needed to the end.
func (c *compiler) spans() map[place]span {
	spans := map[place]span{}
	for k, i := range c.code {
		for _, p := range i.out {
			spans[p] = span{k, k}
		}
		for _, p := range i.in {
			spans[p] = span{spans[p].from, k}
		}
	}
	for p, s := range spans {
		if c.keepAll || (p.layout == plain && c.results[p.node]) {
			spans[p] = span{s.from, len(c.code)}
		}
	}
	return spans
}

// own allocates what lives outside of the arena and makes it known to the program.
func (c *compiler) own(spans map[place]span) {
	for _, n := range c.program.graph.Nodes() {
		if isLeaf(n) && (c.roots[n] == n || n.Op() == graph.OpInput) && !c.packedAlone(n, spans) {
			c.leaf(n)
		}
	}
	staged := c.ownUpdates(spans)
	for _, n := range c.outputs {
		p := place{c.root(n), plain}
		if c.buffers[p] == nil {
			c.buffers[p] = c.floats(p.size())
		}
		c.tell(n, c.buffers[p])
	}
	c.program.commits = append(c.program.commits, staged...)
}

// packedAlone tells whether a parameter is only read by products, which have it in their own order.
func (c *compiler) packedAlone(n *graph.Node, spans map[place]span) bool {
	_, read := spans[place{n, plain}]
	return c.program.options.Weights != nil && n.Op() == graph.OpParameter && !read && !c.results[n]
}

func (c *compiler) leaf(n *graph.Node) {
	p := place{n, plain}
	if c.counting {
		c.buffers[p] = c.floats(p.size())
		return
	}
	data, err := c.leafValue(n)
	if err != nil {
		c.program.fault.set(fmt.Errorf("engine: compile: %w", err))
		data = make([]float32, p.size())
	}
	c.buffers[p] = data
	if n.Op() != graph.OpConstant {
		c.tell(n, data)
	}
}

// tell makes a value known to the program.
func (c *compiler) tell(n *graph.Node, data []float32) {
	if !c.counting {
		c.program.values[n] = dense.Of(data, n.Shape()...)
	}
}

// floats is memory of its own for a value; while memory is counted, none.
func (c *compiler) floats(n int) []float32 {
	if c.counting {
		c.counted += n
		n = 0
	}
	return make([]float32, n)
}

func (c *compiler) leafValue(n *graph.Node) ([]float32, error) {
	if w := c.program.options.Weights; w != nil && n.Op() == graph.OpParameter {
		return w.value(n)
	}
	data := make([]float32, n.Shape().Size())
	first, err := n.Initial()
	copy(data, first)
	for i, v := range n.Value() {
		data[i] = float32(v)
	}
	return data, err
}

// ownUpdates decides where new values of parameters are written. It returns the copies that must come after the
// program's other ones.
func (c *compiler) ownUpdates(spans map[place]span) (last []commit) {
	var first []commit
	for _, up := range c.updates {
		parameter, value := place{up.Parameter, plain}, place{c.root(up.Value), plain}
		if c.buffers[parameter] == nil { // updated but never read
			c.leaf(up.Parameter)
		}
		old := c.buffers[parameter]
		switch {
		case isLeaf(value.node): // staged, as that leaf may be updated itself
			temporary := c.floats(value.size())
			first = append(first, commit{temporary, c.buffers[value]})
			last = append(last, commit{old, temporary})
		case c.buffers[value] == nil && c.inPlace(parameter, value, spans):
			c.buffers[value] = old
		default:
			if c.buffers[value] == nil {
				c.buffers[value] = c.floats(value.size())
			}
			last = append(last, commit{old, c.buffers[value]})
		}
	}
	c.program.commits = first
	return last
}

// inPlace tells whether a parameter's new value may be written straight over the old one: it is made by a late fused
// unit that is the old value's last reader, element by element, and it is no output.
func (c *compiler) inPlace(parameter, value place, spans map[place]span) bool {
	u := c.of[value.node]
	if !u.late || !u.fused || c.keepAll || slices.ContainsFunc(c.outputs, func(n *graph.Node) bool { return c.root(n) == value.node }) {
		return false
	}
	s, read := spans[parameter]
	if !read {
		return true
	}
	made := spans[value].from
	if s.to > made {
		return false
	}
	i := c.code[made]
	for _, in := range i.in {
		if in.node == parameter.node && !i.reuse(in, value) {
			return false
		}
	}
	return true
}

// arena hands out ranges of one slice, in multiples of a cache line.
type arena struct {
	size int
	free []span // sorted, apart
}

const line = 16

func (a *arena) take(n int) int {
	n = (n + line - 1) / line * line
	best := -1
	for i, f := range a.free {
		if room := f.to - f.from; room >= n && (best < 0 || room < a.free[best].to-a.free[best].from) {
			best = i
		}
	}
	if best >= 0 {
		at := a.free[best].from
		if a.free[best].from += n; a.free[best].from == a.free[best].to {
			a.free = slices.Delete(a.free, best, best+1)
		}
		return at
	}
	at := a.size
	if last := len(a.free) - 1; last >= 0 && a.free[last].to == a.size {
		at = a.free[last].from
		a.free = a.free[:last]
	}
	a.size = at + n
	return at
}

func (a *arena) give(at, n int) {
	s := span{at, at + (n+line-1)/line*line}
	i, _ := slices.BinarySearchFunc(a.free, s, func(x, y span) int { return x.from - y.from })
	a.free = slices.Insert(a.free, i, s)
	if i+1 < len(a.free) && a.free[i].to == a.free[i+1].from {
		a.free[i].to = a.free[i+1].to
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].to == a.free[i].from {
		a.free[i-1].to = a.free[i].to
		a.free = slices.Delete(a.free, i, i+1)
	}
}
