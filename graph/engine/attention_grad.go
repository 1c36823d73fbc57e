package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// attentionGrad is the gradients of an attention with respect to Q, K and V as one unit: each head's weights are computed
// anew, some rows at a time, in a part's own memory.
type attentionGrad struct {
	q, k, v, dy strided // [...,T,d], [...,S,d], [...,S,w] and [...,T,w], where they lie
	scale       float32
	out         [3]strided // of the gradients; those without a root are not wanted
}

// findGradients makes units of the gradients of attentions.
func (m *matcher) findGradients() {
	for _, n := range m.nodes {
		if n.Op() == graph.OpAttentionGrad && m.of[n] == nil {
			m.uniteGradients(n)
		}
	}
}

// uniteGradients makes a unit of a gradient and those of the other operands.
func (m *matcher) uniteGradients(n *graph.Node) {
	a := &attentionGrad{scale: float32(n.Attrs().(graph.AttentionAttrs).Scale)}
	var mates [3]*graph.Node
	for _, other := range m.readers[m.root(n.Inputs()[0])] {
		if other.Op() == graph.OpAttentionGrad && m.sameAttention(n, other) {
			mates[other.Attrs().(graph.AttentionAttrs).Of] = other
		}
	}
	turned := n.Attrs().(graph.AttentionAttrs).Turned
	for i, to := range []*strided{&a.q, &a.k, &a.v, &a.dy} {
		x := n.Inputs()[i]
		if *to = m.strided(x); !to.matrix() || !to.shape.Equal(x.Shape()) {
			*to = plainView(m.root(x), x)
		}
		if i < 3 && turned[i] {
			*to = to.turned()
		}
	}
	nodes, ok := m.placeGradients(a, mates, true)
	if !ok {
		nodes, _ = m.placeGradients(a, mates, false)
	}
	for i, out := range a.out {
		if out.root != nil && turned[i] {
			a.out[i] = out.turned()
		}
	}
	slices.SortFunc(nodes, func(x, y *graph.Node) int { return x.ID() - y.ID() })
	m.unite(nodes, a, a.q, a.k, a.v, a.dy)
}

// sameAttention tells whether two gradients are of operands of one attention.
func (m *matcher) sameAttention(a, b *graph.Node) bool {
	x, y := a.Attrs().(graph.AttentionAttrs), b.Attrs().(graph.AttentionAttrs)
	same := x.Scale == y.Scale && x.Turned == y.Turned
	for i, in := range a.Inputs() {
		same = same && m.root(in) == m.root(b.Inputs()[i])
	}
	return same
}

// placeGradients settles where the gradients are written, straight into what joins them if that is to be, and lists all
// nodes that this makes. It is not ok if something would be written in part.
func (m *matcher) placeGradients(a *attentionGrad, mates [3]*graph.Node, join bool) (nodes []*graph.Node, ok bool) {
	written := map[*graph.Node]int{}
	for i, n := range mates {
		if n == nil {
			continue
		}
		var through []*graph.Node
		var with []*graph.Node
		if join {
			with = mates[:]
		}
		a.out[i], through = m.destination(n, with)
		written[a.out[i].root] += n.Shape().Size()
		for _, x := range append(through, n) {
			if !slices.Contains(nodes, x) {
				nodes = append(nodes, x)
			}
		}
	}
	for root, size := range written {
		if size != root.Shape().Size() {
			return nil, false
		}
	}
	return nodes, true
}

// destination is where the elements of n may be written at once: where transpositions, and joins of it and its mates, that
// alone read them would have copied them. These are listed.
func (m *matcher) destination(n *graph.Node, mates []*graph.Node) (out strided, through []*graph.Node) {
	if view, nodes, ok := m.ahead(n, mates); ok && view.matrix() {
		return view, nodes
	}
	return plainView(n, n), nil
}

// ahead is the view of n within what its only reader makes of it, and what that one's makes of that.
func (m *matcher) ahead(n *graph.Node, mates []*graph.Node) (view strided, through []*graph.Node, ok bool) {
	next := m.only(n)
	if next == nil || (next.Op() != graph.OpTranspose && next.Op() != graph.OpConcat) {
		return view, nil, false
	}
	to, through, ok := m.ahead(next, mates)
	if !ok {
		to, through = plainView(next, next), nil
	}
	through = append(through, next)
	view = strided{root: to.root, at: to.at, strides: slices.Clone(to.strides)}
	switch next.Op() {
	case graph.OpTranspose:
		view.shape = next.Inputs()[0].Shape()
		for i, p := range next.Attrs().(graph.TransposeAttrs).Perm {
			view.strides[p] = to.strides[i]
		}
	default:
		axis, before := next.Attrs().(graph.ConcatAttrs).Axis, true
		for _, x := range next.Inputs() {
			if !m.comesFrom(x, mates) {
				return view, nil, false
			}
			if before = before && m.root(x) != n; before {
				view.at += x.Shape()[axis] * to.strides[axis]
			} else if m.root(x) == n {
				view.shape = x.Shape()
			}
		}
	}
	view, ok = view.reshape(n.Shape())
	return view, through, ok
}

// comesFrom tells whether a value is one of some nodes', at most transposed.
func (m *matcher) comesFrom(x *graph.Node, nodes []*graph.Node) bool {
	x = m.root(x)
	for x.Op() == graph.OpTranspose {
		x = m.root(x.Inputs()[0])
	}
	return slices.Contains(nodes, x)
}

// turned is a stack of matrices with rows and columns swapped.
func (s strided) turned() strided {
	s.shape, s.strides = slices.Clone(s.shape), slices.Clone(s.strides)
	last := len(s.shape) - 1
	s.shape[last-1], s.shape[last] = s.shape[last], s.shape[last-1]
	s.strides[last-1], s.strides[last] = s.strides[last], s.strides[last-1]
	return s
}

func (a *attentionGrad) results() (roots []*graph.Node) {
	for _, out := range a.out {
		if out.root != nil && !slices.Contains(roots, out.root) {
			roots = append(roots, out.root)
		}
	}
	return roots
}

// headsGrad is a compiled gradient.
type headsGrad struct {
	scale         float32
	q, k, v, dy   matrices3
	out           [3]*matrices3 // nil: not wanted
	rows, columns int           // of the weights
	depth, width  int           // of Q and K, and of V
	block         int           // rows of the weights worked on at once
}

func (a *attentionGrad) emit(c *compiler) []step {
	rank := len(a.dy.shape)
	h := &headsGrad{scale: a.scale, q: c.stack(a.q), k: c.stack(a.k), v: c.stack(a.v), dy: c.stack(a.dy),
		rows: a.q.shape[rank-2], columns: a.k.shape[rank-2], depth: a.q.shape[rank-1], width: a.v.shape[rank-1]}
	for i, out := range a.out {
		if out.root != nil {
			m := c.stack(out)
			h.out[i] = &m
		}
	}
	h.block = min(h.rows, max(32, scoreBlock/h.columns))
	c.tempSize = max(c.tempSize, 2*h.block*h.columns)
	work := h.rows * h.columns * (3*h.depth + 2*h.width + 64) / 32
	return []step{c.loopTemp(a.results()[0], len(h.dy.at), work, func(head int, temp []float32) {
		weights, slopes := temp[:h.block*h.columns], temp[h.block*h.columns:]
		for from := 0; from < h.rows; from += h.block {
			h.compute(head, from, min(from+h.block, h.rows), weights, slopes)
		}
	})}
}

// compute does what rows from…to-1 of one head's weights contribute. With P = softmax(scale·Q·Kᵀ), dP = dY·Vᵀ and
// dS = scale·P·(dP - Σ dP·P): dQ = dS·K, dK = dSᵀ·Q, dV = Pᵀ·dY.
func (h *headsGrad) compute(head, from, to int, p, ds []float32) {
	n, c := to-from, h.columns
	q, k, v, dy := h.q.matrix(head, from), h.k.matrix(head, 0), h.v.matrix(head, 0), h.dy.matrix(head, from)
	gemm(q.flip, !k.flip, n, c, h.depth, q.data, q.ld, k.data, k.ld, p, c)
	gemm(dy.flip, !v.flip, n, c, h.width, dy.data, dy.ld, v.data, v.ld, ds, c)
	for i := range n {
		p, ds := p[i*c:][:c], ds[i*c:][:c]
		inverse := 1 / vec.ExpSum(p, p, h.scale, -h.scale*vec.Largest(p))
		vec.Affine(p, p, inverse, 0)
		vec.Affine(ds, ds, h.scale, -h.scale*vec.Dot(p, ds))
		vec.Mul(ds, ds, p)
	}
	add := float32(1)
	if from == 0 {
		add = 0
	}
	if h.out[0] != nil {
		h.out[0].matrix(head, from).product(n, h.depth, c, part{ds, c, false}, k, 0)
	}
	if h.out[1] != nil {
		h.out[1].matrix(head, 0).product(c, h.depth, n, part{ds, c, true}, q, add)
	}
	if h.out[2] != nil {
		h.out[2].matrix(head, 0).product(c, h.width, n, part{p, c, true}, dy, add)
	}
}

// part is a matrix whose rows, or columns if flip, begin ld apart.
type part struct {
	data []float32
	ld   int
	flip bool
}

// matrix is a matrix of the stack from a row on.
func (m *matrices3) matrix(i, row int) part {
	at := m.at[i] + row*m.ld
	if m.flip {
		at = m.at[i] + row
	}
	return part{m.data[at:], m.ld, m.flip}
}

// product makes c = a·b + beta·c, of rows×depth and depth×columns.
func (c part) product(rows, columns, depth int, a, b part, beta float32) {
	if c.flip { // cᵀ = bᵀ·aᵀ
		gemmAdd(!b.flip, !a.flip, columns, rows, depth, b.data, b.ld, a.data, a.ld, beta, c.data, c.ld)
		return
	}
	gemmAdd(a.flip, b.flip, rows, columns, depth, a.data, a.ld, b.data, b.ld, beta, c.data, c.ld)
}
