package engine

import (
	"fmt"
	"math"
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// chainOf compiles a fused unit whose values lie in the given layout; buffers holds the values that live outside of it.
func (c *compiler) chainOf(u *unit, l layout) *chain {
	b := chainBuilder{c: c, u: u, layout: l, refs: map[*graph.Node]ref{}, loads: map[string]ref{}, lastUse: map[*graph.Node]int{}}
	for i, n := range u.nodes {
		for _, x := range n.Inputs() {
			b.lastUse[c.root(x)] = i
		}
	}
	b.chain.size = place{u.nodes[0], l}.size()
	for i, n := range u.nodes {
		b.add(i, n)
	}
	return &b.chain
}

type chainBuilder struct {
	c       *compiler
	u       *unit
	layout  layout
	chain   chain
	refs    map[*graph.Node]ref
	loads   map[string]ref // repeated operands, by value and steps
	lastUse map[*graph.Node]int
	free    []int
}

func (b *chainBuilder) slot() int {
	if n := len(b.free); n > 0 {
		s := b.free[n-1]
		b.free = b.free[:n-1]
		return s
	}
	b.chain.slots++
	return b.chain.slots - 1
}

func (b *chainBuilder) add(i int, n *graph.Node) {
	op := fusedOp{kernel: elementwise[n.Op()], arity: len(n.Inputs())}
	for j, x := range n.Inputs() {
		op.in[j] = b.operand(x, n)
	}
	if n.Op() == graph.OpGelu {
		op.in[1], op.arity = b.gelu(op.in[0]), 2
		b.free = append(b.free, op.in[1].slot)
	}
	// A temporary whose last reader this is may become the result's place: kernels work in place.
	for _, x := range n.Inputs() {
		root := b.c.root(x)
		if r, ok := b.refs[root]; ok && r.buf == nil && b.lastUse[root] == i && b.c.of[root] == b.u {
			if !slices.Contains(b.free, r.slot) {
				b.free = append(b.free, r.slot)
			}
		}
	}
	if buf := b.c.buffers[place{n, b.layout}]; buf != nil {
		op.dst = ref{buf: buf}
	} else {
		op.dst = ref{slot: b.slot()}
	}
	b.refs[n] = op.dst
	b.chain.ops = append(b.chain.ops, op)
}

// gelu computes (1+erf(x/√2))/2 into a temporary, which the caller multiplies by x.
func (b *chainBuilder) gelu(x ref) ref {
	t := ref{slot: b.slot()}
	b.chain.ops = append(b.chain.ops,
		fusedOp{kernel: affineKernel(math.Sqrt2/2, 0), dst: t, in: [3]ref{x}, arity: 1},
		fusedOp{kernel: elementwise[graph.OpErf], dst: t, in: [3]ref{t}, arity: 1},
		fusedOp{kernel: affineKernel(0.5, 0.5), dst: t, in: [3]ref{t}, arity: 1})
	return t
}

func affineKernel(scale, shift float32) kernel {
	return func(dst, a, _, _ []float32) { vec.Affine(dst, a, scale, shift) }
}

// operand finds where x is read for node n: a value of this chain, a buffer indexed alike, or a repeated operand.
func (b *chainBuilder) operand(x, n *graph.Node) ref {
	root := b.c.root(x)
	size := n.Shape().Size()
	if root.Shape().Size() == size {
		if r, ok := b.refs[root]; ok {
			return r
		}
		return ref{buf: b.c.buffers[place{root, b.layout}]}
	}
	shape, steps := b.layout.shape(n.Shape()), broadcastStrides(x.Shape(), n.Shape())
	if b.layout == lanes {
		steps, _ = lanesStrides(x.Shape(), n.Shape())
	}
	joined, joinedSteps := join(shape, steps)
	if len(joined) == 1 && joinedSteps[0][0] == 1 && joined[0] == 1 {
		joinedSteps[0][0] = 0
	}
	return b.load(root, joined, joinedSteps[0])
}

func (b *chainBuilder) load(root *graph.Node, shape, step []int) ref {
	key := fmt.Sprint(root.ID(), shape, step)
	if r, ok := b.loads[key]; ok {
		return r
	}
	// Loaded before the chain's first operation, it must not share a slot with any temporary.
	r := ref{slot: b.chain.slots}
	b.chain.slots++
	op := repeated{src: b.c.buffers[place{root, plain}], slot: r.slot, shape: shape, step: step}
	if root.Shape().Size() == 1 {
		b.chain.scalars = append(b.chain.scalars, op)
	} else {
		b.chain.repeated = append(b.chain.repeated, op)
	}
	b.loads[key] = r
	return r
}
