package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// attention is softmax(scale·Q·Kᵀ)·V of many heads as one unit: each head's scores live in a part's own memory and never
// in the program's. Q, K and V are read where they lie, be it in between those of other heads, and the result is written
// where the transposition that follows wants it.
type attention struct {
	q, k, v, out strided // of the products' operands and result, batch axes first
	transA       bool    // of the scores' product
	transB       bool
	transV       bool
	scale        float32
	result       *graph.Node // whose buffer is written
}

// attending is an attention or its gradient.
type attending interface {
	results() []*graph.Node // whose buffers are written
	emit(c *compiler) []step
}

func (a *attention) results() []*graph.Node { return []*graph.Node{a.result} }

// findAttentions makes units of the attentions among the nodes, and of their gradients. Those whose weights have further
// readers stay as they are.
func (us *units) findAttentions() {
	readers := map[*graph.Node][]*graph.Node{}
	for _, n := range us.nodes {
		for _, x := range n.Inputs() {
			readers[us.root(x)] = append(readers[us.root(x)], n)
		}
	}
	m := &matcher{units: us, readers: readers, results: us.resultRoots()}
	for _, n := range us.nodes {
		if n.Op() != graph.OpSoftmax {
			continue
		}
		if nodes, a := m.match(n); a != nil {
			m.unite(nodes, a, a.q, a.k, a.v)
		}
	}
	m.findGradients()
}

// unite makes a unit of nodes in order that reads some values where they lie.
func (us *units) unite(nodes []*graph.Node, a attending, sources ...strided) {
	u := &unit{nodes: nodes, heads: a}
	for _, s := range sources {
		u.sources = append(u.sources, s.root)
	}
	for _, inner := range nodes {
		us.of[inner] = u
	}
}

type matcher struct {
	*units
	readers map[*graph.Node][]*graph.Node
	results map[*graph.Node]bool
}

// only is the one node that reads a value which is nobody's result, else nil.
func (m *matcher) only(n *graph.Node) *graph.Node {
	if r := m.readers[n]; len(r) == 1 && !m.results[n] && m.of[n] == nil {
		return r[0]
	}
	return nil
}

// match finds the attention around a softmax: the nodes that it consists of, in order.
func (m *matcher) match(softmax *graph.Node) ([]*graph.Node, *attention) {
	mix := m.only(softmax)
	if mix == nil || mix.Op() != graph.OpMatMul || mix.Inputs()[0] != softmax || mix.Attrs().(graph.MatMulAttrs).TransA {
		return nil, nil
	}
	a := &attention{scale: 1, transV: mix.Attrs().(graph.MatMulAttrs).TransB}
	nodes := []*graph.Node{softmax, mix}
	scores := m.unscaled(softmax.Inputs()[0], a, &nodes)
	if scores.Op() != graph.OpMatMul || m.only(scores) == nil || len(scores.Shape()) < 3 {
		return nil, nil
	}
	t := scores.Attrs().(graph.MatMulAttrs)
	a.transA, a.transB = t.TransA, t.TransB
	nodes = append(nodes, scores)
	a.q = m.strided(m.unscaled(scores.Inputs()[0], a, &nodes))
	a.k = m.strided(m.unscaled(scores.Inputs()[1], a, &nodes))
	a.v = m.strided(mix.Inputs()[1])
	batch := mix.Shape()[:len(mix.Shape())-2]
	for _, x := range []*strided{&a.q, &a.k, &a.v} {
		if len(x.shape) != len(mix.Shape()) || !batch.Equal(x.shape[:len(batch)]) || !x.matrix() {
			return nil, nil
		}
	}
	a.out = plainView(mix, mix)
	if out, through := m.destination(mix, nil); out.strides[len(out.strides)-1] == 1 {
		a.out, nodes = out, append(nodes, through...)
	}
	a.result = a.out.root
	if !(a.scale > 0) {
		return nil, nil
	}
	slices.SortFunc(nodes, func(x, y *graph.Node) int { return x.ID() - y.ID() })
	return nodes, a
}

// unscaled goes past multiplications by a number that nothing else needs, and past reshapes, which are none.
func (m *matcher) unscaled(n *graph.Node, a *attention, nodes *[]*graph.Node) *graph.Node {
	root := m.root(n)
	if (root.Op() != graph.OpMul && root.Op() != graph.OpDiv) || m.only(root) == nil || !root.Shape().Equal(n.Shape()) {
		return n
	}
	for i, s := range root.Inputs() {
		x := root.Inputs()[1-i]
		if s.Op() != graph.OpConstant || s.Shape().Size() != 1 || !x.Shape().Equal(n.Shape()) {
			continue
		}
		by := float32(s.Value()[0])
		if root.Op() == graph.OpDiv {
			if i == 0 {
				continue // a number divided by x
			}
			by = 1 / by
		}
		a.scale *= by
		*nodes = append(*nodes, root)
		return m.unscaled(x, a, nodes)
	}
	return n
}

// planAttention plans the unit as one instruction.
func (c *compiler) planAttention(u *unit) {
	results := u.heads.results()
	i := &instruction{node: results[0], unit: u}
	for _, n := range results {
		i.out = append(i.out, place{n, plain})
	}
	for _, root := range u.sources {
		p := place{root, plain}
		c.want(p)
		if !slices.Contains(i.in, p) {
			i.in = append(i.in, p)
		}
	}
	i.emit = func() []step { return u.heads.emit(c) }
	c.add(i)
}

// heads is a compiled attention.
type heads struct {
	*attention
	q, k, v, out     matrices3
	batch            int
	rows, depth      int // of Q
	columns, width   int // of V
	block, perMatrix int // rows of Q worked on at once, and how many such blocks
}

// matrices3 is a stack of matrices as they lie in memory.
type matrices3 struct {
	data []float32
	at   []int // where each begins
	ld   int
	flip bool // columns are what lies side by side
}

func (c *compiler) stack(s strided) matrices3 {
	rank := len(s.shape)
	m := matrices3{data: c.buffers[place{s.root, plain}][s.at:], ld: s.strides[rank-2]}
	if s.strides[rank-1] != 1 {
		m.ld, m.flip = s.strides[rank-1], true
	}
	along := rank - 1
	if m.flip {
		along = rank - 2
	}
	if across := 2*rank - 3 - along; s.shape[across] == 1 {
		m.ld = max(m.ld, s.shape[along]) // of one row, the distance to the next says nothing
	}
	m.ld = max(m.ld, 1)
	for _, index := range graph.Shape(s.shape[:rank-2]).Indices() {
		m.at = append(m.at, graph.Offset(s.strides[:rank-2], index))
	}
	return m
}

// scoreBlock is how many scores a part works on at once: they stay in the second-level cache.
const scoreBlock = 40 << 10

func (a *attention) emit(c *compiler) []step {
	rank := len(a.out.shape)
	h := &heads{attention: a, q: c.stack(a.q), k: c.stack(a.k), v: c.stack(a.v), out: c.stack(a.out),
		rows: a.out.shape[rank-2], width: a.out.shape[rank-1], columns: a.v.shape[rank-2], depth: a.q.shape[rank-1]}
	if a.transV {
		h.columns = a.v.shape[rank-1]
	}
	if a.transA {
		h.depth = a.q.shape[rank-2]
	}
	h.batch = len(h.out.at)
	h.block = min(h.rows, max(32, scoreBlock/h.columns))
	if h.batch < 2*c.threads { // few heads: their rows are shared out
		h.block = min(h.block, max(32, (h.rows*h.batch+2*c.threads-1)/(2*c.threads)))
	}
	h.perMatrix = (h.rows + h.block - 1) / h.block
	c.tempSize = max(c.tempSize, h.block*(h.columns+1))
	tasks := h.batch * h.perMatrix
	work := h.block * h.columns * (h.depth + h.width + 64) / 32
	return []step{{a.result, min(c.parts(tasks*work), tasks), func(part, parts int) {
		lo, hi := chunk(tasks, 1, part, parts)
		for t := lo; t < hi; t++ {
			first := t % h.perMatrix * h.block
			h.compute(t/h.perMatrix, first, min(first+h.block, h.rows), c.temps[part])
		}
	}}}
}

// compute gives rows from…to-1 of one head's result.
func (h *heads) compute(head, from, to int, scores []float32) {
	n := to - from
	q, k, v, out := h.q.data[h.q.at[head]:], h.k.data[h.k.at[head]:], h.v.data[h.v.at[head]:], h.out.data[h.out.at[head]:]
	transQ := h.transA != h.q.flip
	if transQ {
		q = q[from:]
	} else {
		q = q[from*h.q.ld:]
	}
	gemm(transQ, h.transB != h.k.flip, n, h.columns, h.depth, q, h.q.ld, k, h.k.ld, scores, h.columns)
	sums := scores[n*h.columns:][:n]
	for i := range sums {
		row := scores[i*h.columns:][:h.columns]
		sums[i] = vec.ExpSum(row, row, h.scale, -h.scale*vec.Largest(row))
	}
	gemm(false, h.transV != h.v.flip, n, h.width, h.columns, scores, h.columns, v, h.v.ld, out[from*h.out.ld:], h.out.ld)
	for i, s := range sums { // fewer than the weights are, where there are more rows than a head is wide
		row := out[(from+i)*h.out.ld:][:h.width]
		vec.Affine(row, row, 1/s, 0)
	}
}
