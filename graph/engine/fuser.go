package engine

import (
	"fmt"
	"slices"

	"graft/graph"
)

// fuse compiles a fused unit whose values lie in the given layout; buffers holds the values that live outside of it.
func (c *compiler) fuse(u *unit, l layout) *fused {
	b := fuser{c: c, layout: l, refs: map[*graph.Node]ref{}, loads: map[string]ref{}, lastUse: map[*graph.Node]int{}}
	nodes := c.writtenOut(u)
	for i, k := range nodes {
		for _, x := range k.node.Inputs() {
			b.lastUse[c.root(x)] = i
		}
	}
	b.out.size = place{u.nodes[0], l}.size()
	for i := 0; i < len(nodes); i++ {
		if i+1 < len(nodes) && b.together(nodes[i], nodes[i+1]) {
			i++
		} else {
			b.add(i, nodes[i])
		}
	}
	return &b.out
}

// fusedNode is one operation of a fused unit, and the node whose value it makes: itself, or the one whose formula ends with it.
type fusedNode struct{ node, result *graph.Node }

// writtenOut lists a unit's operations, with formulas written out.
func (c *compiler) writtenOut(u *unit) []fusedNode {
	var out []fusedNode
	for _, n := range u.nodes {
		out = c.writeOut(out, n)
	}
	return out
}

func (c *compiler) writeOut(out []fusedNode, n *graph.Node) []fusedNode {
	formula := graph.Formula(n)
	if formula == nil || elementKernels[n.Op()] != nil {
		return append(out, fusedNode{n, n})
	}
	for i, x := range n.Inputs() {
		c.roots[formula[i]] = c.root(x)
	}
	for _, f := range formula[len(n.Inputs()):] {
		c.roots[f] = f
		if isLeaf(f) {
			c.leaf(f)
		} else {
			out = c.writeOut(out, f)
		}
	}
	out[len(out)-1].result = n
	return out
}

type fuser struct {
	c       *compiler
	layout  layout
	out     fused
	refs    map[*graph.Node]ref
	loads   map[string]ref // repeated operands, by value and steps
	lastUse map[*graph.Node]int
	free    []int
}

func (b *fuser) slot() int {
	if n := len(b.free); n > 0 {
		s := b.free[n-1]
		b.free = b.free[:n-1]
		return s
	}
	b.out.slots++
	return b.out.slots - 1
}

func (b *fuser) add(i int, k fusedNode) {
	n := k.node
	op := fusedOp{kernel: elementKernels[n.Op()], arity: len(n.Inputs())}
	if op.kernel == nil {
		op.kernel = rowKernel(n)
	}
	for j, x := range n.Inputs() {
		op.in[j] = b.operand(x, n)
	}
	// A temporary whose last reader this is may become the result's place: kernels work in place.
	for _, x := range n.Inputs() {
		root := b.c.root(x)
		if r, ok := b.refs[root]; ok && r.buf == nil && b.lastUse[root] == i && !slices.Contains(b.free, r.slot) {
			b.free = append(b.free, r.slot)
		}
	}
	op.dst = b.result(k)
	b.out.ops = append(b.out.ops, op)
}

// result is where an operation's value goes.
func (b *fuser) result(k fusedNode) (r ref) {
	if buf := b.c.buffers[place{k.result, b.layout}]; buf != nil {
		r = ref{buf: buf}
	} else {
		r = ref{slot: b.slot()}
	}
	b.refs[k.result] = r
	return r
}

// together adds GELU and its derivative, next to each other, as one operation.
func (b *fuser) together(k, slope fusedNode) bool {
	x := k.node.Inputs()[0]
	if k.node.Op() != graph.OpGelu || slope.node.Op() != graph.OpGeluSlope || b.c.root(x) != b.c.root(slope.node.Inputs()[0]) {
		return false
	}
	op := fusedOp{kernel: geluBoth, arity: 2}
	op.in[0] = b.operand(x, k.node)
	op.dst, op.in[1] = b.result(k), b.result(slope)
	b.out.ops = append(b.out.ops, op)
	return true
}

// operand finds where x is read for node n: a value of this unit, a buffer indexed alike, or a repeated operand.
func (b *fuser) operand(x, n *graph.Node) ref {
	root := b.c.root(x)
	size := n.Shape().Size()
	if root.Shape().Size() == size {
		if r, ok := b.refs[root]; ok {
			return r
		}
		if buf := b.c.buffers[place{root, b.layout}]; buf != nil {
			return ref{buf: buf}
		}
	}
	shape, steps := b.layout.shape(n.Shape()), x.Shape().StridesIn(n.Shape())
	if b.layout == lanes {
		steps, _ = lanesStrides(x.Shape(), n.Shape())
	}
	joined, joinedSteps := join(shape, steps)
	if len(joined) == 1 && joinedSteps[0][0] == 1 && joined[0] == 1 {
		joinedSteps[0][0] = 0
	}
	return b.load(root, joined, joinedSteps[0])
}

func (b *fuser) load(root *graph.Node, shape, step []int) ref {
	key := fmt.Sprintf("%p %v %v", root, shape, step)
	if r, ok := b.loads[key]; ok {
		return r
	}
	// Loaded before the unit's first operation, it must not share a slot with any temporary.
	r := ref{slot: b.out.slots}
	b.out.slots++
	op := repeated{src: b.c.buffers[place{root, plain}], slot: r.slot, shape: shape, step: step}
	if root.Shape().Size() == 1 {
		b.out.scalars = append(b.out.scalars, op)
	} else {
		b.out.repeated = append(b.out.repeated, op)
	}
	b.loads[key] = r
	return r
}
