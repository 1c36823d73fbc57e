package engine

import (
	"math"

	"graft/graph"
	"graft/graph/engine/vec"
)

type emitter = func(c *compiler, n *graph.Node, in [][]float32, out []float32) []step

// poolKernel goes plane by plane, unless images are interleaved already.
func poolKernel(interleaved, plain emitter) kernel {
	return kernel{choose: func(c *compiler, n *graph.Node) kernel {
		if c.made[place{c.root(n.Inputs()[0]), lanes}] {
			return kernel{in: []layout{lanes}, out: lanes, emit: interleaved}
		}
		return kernel{emit: plain}
	}}
}

// pooling works on the planes of interleaved images. Its segments run over the pooled results.
type pooling struct {
	segments   []segment
	big, small int // elements of a plane before and after pooling
	x, dy, out []float32
}

func (c *compiler) pooling(n, big, small *graph.Node, a graph.PoolAttrs) (*pooling, func(work int, f func(p *pooling, k int)) []step) {
	bs, ss := big.Shape(), small.Shape()
	g := grid{ss[2], ss[3], bs[2], bs[3], a.Kernel, a.Window(), false}
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

// averaging computes n's planes as those of a convolution of each by itself whose weights are all one over the window's
// size: the averages from their operand, or, scattered, the reverse.
func averaging(c *compiler, n *graph.Node, a graph.PoolAttrs, scattered bool, in [][]float32, out []float32) []step {
	y, x := n.Shape(), n.Inputs()[0].Shape()
	g := grid{y[2], y[3], x[2], x[3], a.Kernel, a.Window(), scattered}
	segments, result, source := g.segments(0), y[2]*y[3]*vec.Lanes, x[2]*x[3]*vec.Lanes
	weights, bias := equalWeights(a), make([]float32, vec.Outputs)
	return []step{c.loop(n, blocks(y[0])*y[1], 1, max(result, source), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			src, dst := in[0][k*source:][:source], out[k*result:][:result]
			for i := range segments {
				s := &segments[i]
				vec.Taps(1, dst[s.at:], 0, s.step, src[s.src:], 0, s.srcStep, &s.window, 1, s.n, weights, 0, bias)
			}
		}
	})}
}

// equalWeights are those of one place of an average's window, as vec.Taps reads them.
func equalWeights(a graph.PoolAttrs) []float32 {
	w := make([]float32, vec.Outputs)
	w[0] = 1 / float32(a.Kernel[0]*a.Kernel[1])
	return w
}

func emitAveragePool(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	return averaging(c, n, n.Attrs().(graph.PoolAttrs), false, in, out)
}

func emitAveragePoolGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	return averaging(c, n, n.Attrs().(graph.AveragePoolGradAttrs).PoolAttrs, true, in, out)
}

// plainPool computes a pool plane by plane.
func plainPool(c *compiler, n *graph.Node, in [][]float32, out []float32, padding float32, pool func(p *phases, y, x []float32)) []step {
	a, x := n.Attrs().(graph.PoolAttrs), n.Inputs()[0].Shape()
	p := newPhases(a.Window(), a.Kernel, x, n.Shape(), 0)
	plane, result := x[2]*x[3], n.Shape()[2]*n.Shape()[3]
	return []step{p.each(c, n, x[0]*x[1], plane+p.run*len(p.offsets)/8, 0, 1, 1, padding, func(t int, planes, y []float32) {
		p.lay(planes, in[0][t*plane:][:plane])
		pool(p, y, planes)
		p.take(out[t*result:][:result], y)
	})}
}

func emitPlainMaxPool(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	return plainPool(c, n, in, out, float32(math.Inf(-1)), func(p *phases, y, x []float32) {
		vec.MaxTaps(y, x, p.offsets, vec.Lanes, p.run/vec.Lanes)
	})
}

func emitPlainAveragePool(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	weights, bias := equalWeights(n.Attrs().(graph.PoolAttrs)), make([]float32, vec.Outputs)
	return plainPool(c, n, in, out, 0, func(p *phases, y, x []float32) {
		vec.Taps(1, y, 0, vec.Lanes, x, 0, vec.Lanes, &p.reach, 1, p.run/vec.Lanes, weights, 0, bias)
	})
}
