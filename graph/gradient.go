package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Gradient builds the gradients of a scalar loss with respect to some nodes, usually parameters, in their order. A node
// that the loss does not depend on is an error that names it, as is an operation without a gradient rule.
func Gradient(loss *Node, wrt []*Node) ([]*Node, error) {
	if loss == nil || loss.graph == nil {
		return nil, errors.New("graph: gradient of a nil loss")
	}
	g := loss.graph
	if g.err != nil {
		return nil, g.err
	}
	if loss.shape.Size() != 1 || loss.typ != Float {
		return nil, fmt.Errorf("graph: gradient of %s: wanted a scalar loss, got %s %v", loss.name, loss.typ, loss.shape)
	}
	w := walker{g: g, needed: needed(g, loss.id, wrt), reads: reads(g, loss.id, wrt), grads: map[*Node]*Node{}, slices: map[*Node][]*Node{}}
	w.grads[loss] = g.Expand(g.Scalar(1), loss.shape...)
	for id := loss.id; id >= 0; id-- {
		n := g.nodes[id]
		w.join(n)
		if w.needed[id] && w.grads[n] != nil {
			if err := w.visit(n); err != nil {
				return nil, fmt.Errorf("graph: gradient of %s: %w", n.name, err)
			}
		}
	}
	return w.collect(loss, wrt)
}

// needed marks the nodes through which the loss may depend on one of wrt.
func needed(g *Graph, last int, wrt []*Node) []bool {
	mark := make([]bool, last+1)
	for _, n := range wrt {
		if n != nil && n.graph == g && n.id >= 0 && n.id <= last {
			mark[n.id] = true
		}
	}
	for id := range mark {
		for _, x := range g.nodes[id].in {
			mark[id] = mark[id] || mark[x.id]
		}
	}
	return mark
}

// reads counts the nodes that read each one, and those of wrt twice, as they are wanted by themselves.
func reads(g *Graph, last int, wrt []*Node) []int {
	count := make([]int, last+1)
	for _, n := range g.nodes[:last+1] {
		for _, x := range n.in {
			count[x.id]++
		}
	}
	for _, n := range wrt {
		if n != nil && n.graph == g && n.id >= 0 && n.id <= last {
			count[n.id] += 2
		}
	}
	return count
}

// walker goes from the loss back to the leaves. What all rules share is here: a missing rule, arity, un-broadcasting,
// shapes, and the sum over a node's uses.
type walker struct {
	g      *Graph
	needed []bool
	reads  []int
	grads  map[*Node]*Node
	slices map[*Node][]*Node // of a node: the gradients of its slices, padded, not yet added to its own
}

func (w *walker) visit(n *Node) error {
	if len(n.in) == 0 {
		return nil
	}
	r := rows[n.op]
	if r.grad == nil {
		return fmt.Errorf("operation %s has no gradient rule", n.op)
	}
	defer w.g.Scope("grad(" + n.name + ")")()
	if a := w.attention(n); a != nil {
		return w.differentiate(a, w.grads[n])
	}
	list := r.grad(w.g, n, w.grads[n])
	if w.g.err != nil {
		return w.g.err
	}
	if len(list) != len(n.in) {
		return fmt.Errorf("rule of %s: wanted %d gradients, got %d", n.op, len(n.in), len(list))
	}
	for i, x := range n.in {
		if list[i] == nil || !w.needed[x.id] {
			continue
		}
		if err := w.accumulate(x, list[i], r.broadcast); err != nil {
			return fmt.Errorf("operand %d, %s: %w", i, x.name, err)
		}
	}
	return nil
}

func (w *walker) accumulate(x, d *Node, broadcast bool) error {
	if broadcast {
		d = unbroadcast(w.g, d, x.shape)
	}
	if !d.shape.Equal(x.shape) {
		return fmt.Errorf("gradient's shape: wanted %v, got %v", x.shape, d.shape)
	}
	if d.op == OpPad && !broadcast {
		w.slices[x] = append(w.slices[x], d)
		return w.g.err
	}
	w.add(x, d)
	return w.g.err
}

func (w *walker) add(x, d *Node) {
	if before := w.grads[x]; before != nil {
		d = w.g.Add(before, d)
	}
	w.grads[x] = d
}

// join adds the gradients of a node's slices to its own. Where the slices are all of the node, in a row, theirs are joined
// instead: a sum of what zeros were put around would be several times the work.
func (w *walker) join(x *Node) {
	parts := w.slices[x]
	if joined := joinedPads(w.g, x, parts); joined != nil {
		w.add(x, joined)
		return
	}
	for _, d := range parts {
		w.add(x, d)
	}
}

// joinedPads is the sum of padded nodes where they lie side by side along one axis and fill x, else nil.
func joinedPads(g *Graph, x *Node, pads []*Node) *Node {
	if len(pads) < 2 {
		return nil
	}
	for ax := range x.shape {
		at, parts := 0, []*Node{}
		inOrder := slices.SortedFunc(slices.Values(pads), func(a, b *Node) int {
			return a.attrs.(PadAttrs).Before[ax] - b.attrs.(PadAttrs).Before[ax]
		})
		for _, p := range inOrder {
			part, want := p.in[0], slices.Clone(x.shape)
			want[ax] = part.shape[ax]
			if p.attrs.(PadAttrs).Before[ax] != at || !part.shape.Equal(want) {
				break
			}
			at, parts = at+part.shape[ax], append(parts, part)
		}
		if at == x.shape[ax] && len(parts) == len(pads) {
			return g.Concat(ax, parts...)
		}
	}
	return nil
}

// unbroadcast sums a gradient over the axes along which an operand was repeated. It is the only place that does so.
func unbroadcast(g *Graph, d *Node, to Shape) *Node {
	extra := len(d.shape) - len(to)
	if extra < 0 {
		return d
	}
	var over []int
	for i, size := range d.shape {
		if i < extra || (to[i-extra] == 1 && size != 1) {
			over = append(over, i)
		}
	}
	if len(over) == 0 {
		return d
	}
	return g.Reshape(g.SumKeep(d, over...), to...)
}

func (w *walker) collect(loss *Node, wrt []*Node) ([]*Node, error) {
	out := make([]*Node, len(wrt))
	for i, p := range wrt {
		if p == nil {
			return nil, fmt.Errorf("graph: gradient of %s: node %d is nil", loss.name, i)
		}
		if out[i] = w.grads[p]; out[i] == nil {
			return nil, fmt.Errorf("graph: gradient of %s: %s does not reach it", loss.name, p.name)
		}
		out[i].gradient = true
	}
	return out, w.g.err
}
