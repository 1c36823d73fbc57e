package engine

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"graft/graph"
)

// maxRank bounds a tensor's axes; loops keep their indices in arrays of maxJoined.
const maxRank = maxJoined - 1

// instruction is one unit, or a change of layout, with the values it reads and writes. Buffers exist when emit is
// called.
type instruction struct {
	node  *graph.Node
	unit  *unit // nil for a change of layout
	in    []place
	out   []place
	emit  func() []step
	reuse func(in, out place) bool // whether out may take in's buffer; nil: never
}

// compiler holds the state of one compilation.
type compiler struct {
	*units
	program  *Program
	threads  int
	keepAll  bool // diagnosis: nothing fused, every value kept
	code     []*instruction
	made     map[place]bool
	buffers  map[place][]float32
	work     workspace
	temps    [][]float32 // per part, for fused units
	tempSize int
	counting bool // floats are counted and not allocated
	counted  int
}

// workspace is memory that one unit uses while it runs.
type workspace struct {
	data []float32
	size int
}

// need reserves n elements for the unit being emitted; the memory is there when its steps run.
func (w *workspace) need(n int) { w.size = max(w.size, n) }

func compile(g *graph.Graph, outputs []*graph.Node, updates []graph.Update, o Options, keepAll bool) (*Program, error) {
	c, err := planned(g, outputs, updates, o, keepAll)
	if err != nil {
		return nil, err
	}
	c.allocate()
	c.emit()
	return c.program, c.program.fault.take()
}

// Memory is how many bytes a program of these would take, near enough: its parameters, inputs, outputs and the values between
// them, but not what single operations, such as convolutions, lay out anew. Nothing of it is allocated.
func Memory(g *graph.Graph, outputs []*graph.Node, updates []graph.Update, o Options) (int64, error) {
	c, err := planned(g, outputs, updates, o, false)
	if err != nil {
		return 0, err
	}
	c.counting = true
	c.allocate()
	return 4 * int64(c.counted), nil
}

// planned is a compilation up to where memory is needed.
func planned(g *graph.Graph, outputs []*graph.Node, updates []graph.Update, o Options, keepAll bool) (*compiler, error) {
	if err := checkSource(g, outputs, updates, o); err != nil {
		return nil, err
	}
	p := &Program{graph: g, options: o, values: map[*graph.Node]*tensor.Dense{}}
	c := &compiler{program: p, threads: threadsOf(o), keepAll: keepAll, made: map[place]bool{}, buffers: map[place][]float32{}}
	p.pool = poolOf(c.threads)
	c.units = group(simplify(g, outputs, updates), !keepAll, o.Weights != nil)
	p.roots = c.roots
	p.wanted.outputs, p.wanted.updates = slices.Clone(outputs), slices.Clone(updates)
	c.plan()
	return c, nil
}

func checkSource(g *graph.Graph, outputs []*graph.Node, updates []graph.Update, o Options) error {
	if g == nil {
		return errors.New("engine: compile: nil graph")
	}
	if err := g.Err(); err != nil {
		return err
	}
	all := g.Nodes()
	owns := func(n *graph.Node) bool { return n != nil && n.ID() >= 0 && n.ID() < len(all) && all[n.ID()] == n }
	for i, n := range outputs {
		if !owns(n) {
			return fmt.Errorf("engine: compile: output %d is not a node of the graph", i)
		}
	}
	for _, u := range updates {
		if !owns(u.Parameter) || !owns(u.Value) {
			return fmt.Errorf("engine: compile: update of %v is not of the graph", u.Parameter)
		}
	}
	if o.Weights != nil && len(updates) > 0 {
		return errors.New("engine: compile: shared weights are not updated")
	}
	if len(outputs)+len(updates) == 0 {
		return errors.New("engine: compile: neither outputs nor updates")
	}
	for _, n := range all {
		if len(n.Shape()) > maxRank {
			return fmt.Errorf("engine: compile: %v has more than %d axes", n, maxRank)
		}
	}
	return nil
}

// plan turns units into instructions, with changes of layout between them.
func (c *compiler) plan() {
	products := map[*unit]*unit{} // by the unit that finishes them
	for _, u := range c.order {
		switch {
		case u.heads != nil:
			c.planAttention(u)
		case u.weight != nil:
			if f := c.finishes(u); f != nil && products[f] == nil {
				products[f] = u
			} else {
				c.planProduct(u, nil)
			}
		case products[u] != nil:
			c.planProduct(products[u], u)
		case u.fused:
			c.planFused(u)
		default:
			c.planOne(u)
		}
	}
	for _, n := range c.outputs {
		c.want(place{c.root(n), plain})
	}
	for _, up := range c.updates {
		c.want(place{c.root(up.Value), plain})
	}
}

// want makes a value available in a layout, converting it if it is only there in the other.
func (c *compiler) want(p place) {
	if c.made[p] || (isLeaf(p.node) && p.layout == plain) {
		return
	}
	other := place{c.root(p.node), lanes - p.layout}
	if p.node != other.node {
		c.want(other)
	}
	c.add(&instruction{node: p.node, in: []place{other}, out: []place{p}, emit: func() []step {
		return c.convert(p.node, c.buffers[p], c.buffers[other], p.layout)
	}})
}

func (c *compiler) add(i *instruction) {
	c.code = append(c.code, i)
	for _, p := range i.out {
		c.made[p] = true
	}
}

// planOne plans a unit of one operation by its entry in the table.
func (c *compiler) planOne(u *unit) {
	n := u.nodes[0]
	l, fast := kernels[n.Op()]
	if !fast {
		l.emit = emitNaive
	}
	if l.choose != nil {
		l = l.choose(c, n)
	}
	i := &instruction{node: n, unit: u, out: []place{{n, l.out}}}
	for j, x := range n.Inputs() {
		p := place{c.root(x), plain}
		if j < len(l.in) && l.in[j] == lanes {
			p.layout = lanes
			if !p.node.Shape().Equal(x.Shape()) {
				p.node = x // interleaved by another shape than its root's
			}
		}
		c.want(p)
		i.in = append(i.in, p)
	}
	i.emit = func() []step {
		in := make([][]float32, len(i.in))
		for j, p := range i.in {
			in[j] = c.buffers[p]
		}
		return l.emit(c, n, in, c.buffers[i.out[0]])
	}
	c.add(i)
}

// planFused plans a fused unit: in the interleaved layout if one of its operands already lies so and all can.
func (c *compiler) planFused(u *unit) {
	l := c.fusedLayout(u)
	i := &instruction{node: u.nodes[len(u.nodes)-1], unit: u, in: c.fusedOperands(u, l)}
	for _, p := range i.in {
		c.want(p)
	}
	for _, n := range u.nodes {
		if c.external(n, u) {
			i.out = append(i.out, place{n, l})
		}
	}
	i.reuse = func(in, out place) bool { return c.readsBefore(u, in, out) }
	i.emit = func() []step { return c.emitFused(u, l) }
	c.add(i)
}

// fusedOperands lists the values from outside that a fused unit reads: those of its own size in its layout.
func (c *compiler) fusedOperands(u *unit, l layout) (in []place) {
	size := u.nodes[0].Shape().Size()
	for _, n := range u.nodes {
		for _, x := range n.Inputs() {
			p := place{c.root(x), plain}
			if p.node.Shape().Size() == size {
				p.layout = l
			}
			if c.of[p.node] != u && !slices.Contains(in, p) {
				in = append(in, p)
			}
		}
	}
	return in
}

func (c *compiler) fusedLayout(u *unit) layout {
	shape, found := u.nodes[0].Shape(), false
	if len(shape) != 4 {
		return plain
	}
	for _, n := range u.nodes {
		if !n.Shape().Equal(shape) {
			return plain
		}
		for _, x := range n.Inputs() {
			root := c.root(x)
			if root.Shape().Size() != shape.Size() {
				if _, ok := lanesStrides(x.Shape(), shape); !ok {
					return plain
				}
				continue
			}
			if !root.Shape().Equal(shape) {
				return plain
			}
			found = found || c.made[place{root, lanes}]
		}
	}
	if found {
		return lanes
	}
	return plain
}

// readsBefore tells whether a fused unit is done with in, read element by element, when it writes out.
func (c *compiler) readsBefore(u *unit, in, out place) bool {
	if in.size() != out.size() || in.layout != out.layout {
		return false
	}
	written := slices.Index(u.nodes, out.node)
	for i, n := range u.nodes {
		for _, x := range n.Inputs() {
			if c.root(x) == in.node && i > written {
				return false
			}
		}
	}
	return true
}

// parts is how many threads a step of so much work, in nanoseconds of one core, is worth.
func (c *compiler) parts(work int) int {
	const worth = 2500 // sharing a step among waiting helpers takes a few tenths of a microsecond
	return max(1, min(c.threads, work/worth+1))
}

// emitFused makes the one step of a fused unit.
func (c *compiler) emitFused(u *unit, l layout) []step {
	ch := c.fuse(u, l)
	c.tempSize = max(c.tempSize, ch.slots*fusedBlock)
	return []step{{u.nodes[len(u.nodes)-1], c.parts(ch.size * len(ch.ops) / 4), func(part, parts int) {
		lo, hi := chunk(ch.size, 16, part, parts)
		ch.run(lo, hi, c.temps[part])
	}}}
}

// emit turns instructions into steps, and gives them their temporaries.
func (c *compiler) emit() {
	p := c.program
	p.check = -1
	for _, i := range c.code {
		if p.check < 0 && i.unit != nil && i.unit.late {
			p.check = len(p.steps)
		}
		p.steps = append(p.steps, i.emit()...)
	}
	if p.check < 0 {
		p.check = len(p.steps)
	}
	c.temps = make([][]float32, c.threads)
	for t := range c.temps {
		c.temps[t] = make([]float32, c.tempSize+16) // the parts' ends on their own cache lines
	}
	c.work.data = make([]float32, c.work.size)
	if c.keepAll {
		c.checkAll()
	} else {
		c.collectChecks()
	}
}
