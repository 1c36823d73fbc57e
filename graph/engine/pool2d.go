package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// pooling works on the planes of interleaved images. Its segments run over the pooled results.
type pooling struct {
	segments   []segment
	big, small int // elements of a plane before and after pooling
	x, dy, out []float32
}

func (c *compiler) pooling(n, big, small *graph.Node, a graph.PoolAttrs) (*pooling, func(work int, f func(p *pooling, k int)) []step) {
	bs, ss := big.Shape(), small.Shape()
	g := grid{ss[2], ss[3], bs[2], bs[3], a.Kernel, a.Stride, a.Pad, false}
	p := &pooling{segments: g.segments(0), big: bs[2] * bs[3] * vec.Lanes, small: ss[2] * ss[3] * vec.Lanes}
	return p, func(work int, f func(p *pooling, k int)) []step {
		return []step{c.loop(n, blocks(bs[0])*bs[1], 1, p.big*work/8, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				f(p, k)
			}
		})}
	}
}

func emitMaxPool(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	p, planes := c.pooling(n, n.Inputs()[0], n, n.Attrs().(graph.PoolAttrs))
	p.x, p.out = in[0], out
	return planes(1, func(p *pooling, k int) {
		x, y := p.x[k*p.big:][:p.big], p.out[k*p.small:][:p.small]
		for i := range p.segments {
			s := &p.segments[i]
			vec.MaxTaps(y[s.at:], x[s.src:], s.offsets, s.srcStep, s.n)
		}
	})
}

func emitMaxPoolGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	p, planes := c.pooling(n, n, n.Inputs()[1], n.Attrs().(graph.PoolAttrs))
	p.x, p.dy, p.out = in[0], in[1], out
	return planes(3, func(p *pooling, k int) {
		x, dx, dy := p.x[k*p.big:][:p.big], p.out[k*p.big:][:p.big], p.dy[k*p.small:][:p.small]
		clear(dx)
		for i := range p.segments {
			s := &p.segments[i]
			vec.MaxTapsGrad(dx[s.src:], x[s.src:], dy[s.at:], s.offsets, s.srcStep, s.n)
		}
	})
}
