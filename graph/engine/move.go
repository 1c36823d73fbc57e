package engine

import "graft/graph"

// copying moves elements between two tensors by steps along the axes of a common shape.
type copying struct {
	shape          []int
	dst, src       []int
	dstAt, srcAt   int
	into, from     []float32
	outer, trailer int // items of all axes but the last, size of the last
}

func (c *compiler) copying(n *graph.Node, shape graph.Shape, into []float32, dst []int, dstAt int, from []float32, src []int, srcAt int) step {
	joined, steps := join(shape, dst, src)
	m := &copying{joined, steps[0], steps[1], dstAt, srcAt, into, from, 1, joined[len(joined)-1]}
	for _, d := range joined[:len(joined)-1] {
		m.outer *= d
	}
	return c.loop(n, m.outer, 1, 4+m.trailer/2, m.run)
}

func (m *copying) run(lo, hi int) {
	var index [maxJoined]int
	last := len(m.shape) - 1
	d, s := m.dstAt, m.srcAt
	rest := lo
	for a := last - 1; a >= 0; a-- {
		index[a] = rest % m.shape[a]
		rest /= m.shape[a]
		d += index[a] * m.dst[a]
		s += index[a] * m.src[a]
	}
	for ; lo < hi; lo++ {
		m.line(d, s)
		for a := last - 1; a >= 0; a-- {
			d, s = d+m.dst[a], s+m.src[a]
			if index[a]++; index[a] < m.shape[a] {
				break
			}
			d, s = d-m.shape[a]*m.dst[a], s-m.shape[a]*m.src[a]
			index[a] = 0
		}
	}
}

// line copies along the last axis.
func (m *copying) line(d, s int) {
	last := len(m.shape) - 1
	ds, ss := m.dst[last], m.src[last]
	if ds == 1 && ss == 1 {
		copy(m.into[d:d+m.trailer], m.from[s:])
		return
	}
	for range m.trailer {
		m.into[d] = m.from[s]
		d, s = d+ds, s+ss
	}
}

func emitTranspose(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	own := n.Inputs()[0].Shape().Strides()
	src := make([]int, len(own))
	for i, p := range n.Attrs().(graph.TransposeAttrs).Perm {
		src[i] = own[p]
	}
	return []step{c.copying(n, n.Shape(), out, n.Shape().Strides(), 0, in[0], src, 0)}
}

func emitSlice(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	src := n.Inputs()[0].Shape().Strides()
	at := graph.Offset(src, n.Attrs().(graph.SliceAttrs).Starts)
	return []step{c.copying(n, n.Shape(), out, n.Shape().Strides(), 0, in[0], src, at)}
}

func emitPad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	x, dst := n.Inputs()[0].Shape(), n.Shape().Strides()
	at := graph.Offset(dst, n.Attrs().(graph.PadAttrs).Before)
	return []step{c.clearing(n, out), c.copying(n, x, out, dst, at, in[0], x.Strides(), 0)}
}

func (c *compiler) clearing(n *graph.Node, out []float32) step {
	return c.loop(n, len(out), 16, 1, func(lo, hi int) { clear(out[lo:hi]) })
}

func emitConcat(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	ax, at := n.Attrs().(graph.ConcatAttrs).Axis, 0
	dst := n.Shape().Strides()
	var steps []step
	for i, x := range n.Inputs() {
		steps = append(steps, c.copying(n, x.Shape(), out, dst, at*dst[ax], in[i], x.Shape().Strides(), 0))
		at += x.Shape()[ax]
	}
	return steps
}

func emitDropout(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a := n.Attrs().(graph.DropoutAttrs)
	scale := float32(1 / (1 - a.P))
	return []step{c.loop(n, len(out), 16, 2, func(lo, hi int) {
		mask := a.Mask(float64(in[1][0]))
		for i := lo; i < hi; i++ {
			v := in[0][i] * scale
			if !mask.Keeps(i) {
				v = 0
			}
			out[i] = v
		}
	})}
}
