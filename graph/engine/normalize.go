package engine

import (
	"math"

	"graft/graph"
	"graft/graph/engine/vec"
)

func emitSoftmax(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	d := n.Dim(-1)
	return []step{c.loop(n, len(out)/d, 1, 10+d*2, func(lo, hi int) {
		x, y := in[0][lo*d:hi*d], out[lo*d:hi*d]
		for i := 0; i < len(x); i += d {
			row := x[i : i+d]
			vec.Affine(y[i:i+d], row, 1, -vec.Largest(row)) // NaN comes through exp
		}
		vec.Exp(y, y)
		for i := 0; i < len(y); i += d {
			row := y[i : i+d]
			vec.Affine(row, row, 1/vec.Sum(row), 0)
		}
	})}
}

func emitLogSoftmax(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	d := n.Dim(-1)
	return []step{c.loop(n, len(out)/d, 1, 20+d*2, func(lo, hi int) {
		for i := lo * d; i < hi*d; i += d {
			logSoftmax(out[i:i+d], in[0][i:i+d])
		}
	})}
}

func logSoftmax(dst, src []float32) {
	top := largest(src[0], src)
	vec.Affine(dst, src, 1, -top)
	var part [256]float32
	var sum float32
	for j := 0; j < len(dst); j += len(part) {
		piece := dst[j:min(len(dst), j+len(part))]
		vec.Exp(part[:len(piece)], piece)
		sum += vec.Sum(part[:len(piece)])
	}
	vec.Affine(dst, dst, 1, -float32(math.Log(float64(sum))))
}

func emitLayerNorm(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	d, eps := n.Dim(-1), n.Attrs().(graph.NormAttrs).Eps
	scale, bias := in[1], in[2]
	return []step{c.loop(n, len(out)/d, 1, 20+d, func(lo, hi int) {
		for i := lo * d; i < hi*d; i += d {
			y := out[i : i+d]
			vec.Affine(y, y, centre(y, in[0][i:i+d], eps), 0)
			vec.Mul(y, y, scale)
			vec.Add(y, y, bias)
		}
	})}
}

// centre makes y of x less its mean, and returns one over its standard deviation.
func centre(y, x []float32, eps float64) (inverse float32) {
	vec.Affine(y, x, 1, -vec.Sum(x)/float32(len(x)))
	return float32(1 / math.Sqrt(float64(vec.Dot(y, y))/float64(len(x))+eps))
}

// emitLayerNormGrad makes dx of x, scale and dy in one pass.
func emitLayerNormGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	d, eps := n.Dim(-1), n.Attrs().(graph.NormAttrs).Eps
	scale := in[1]
	c.tempSize = max(c.tempSize, d)
	return []step{c.loopTemp(n, len(out)/d, 20+2*d, func(i int, temp []float32) {
		x, dy, dx, scaled := in[0][i*d:][:d], in[2][i*d:][:d], out[i*d:][:d], temp[:d]
		inverse := centre(dx, x, eps)
		vec.Mul(scaled, dy, scale)
		mean, along := vec.Sum(scaled)/float32(d), vec.Dot(scaled, dx)*inverse*inverse/float32(d)
		vec.Affine(dx, dx, -along*inverse, -mean*inverse)
		vec.Affine(scaled, scaled, inverse, 0)
		vec.Add(dx, dx, scaled)
	})}
}

// emitLayerNormScaleGrad makes dscale of x and dy; a part sums some columns up, over all rows in order.
func emitLayerNormScaleGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	d, eps := len(out), n.Attrs().(graph.NormAttrs).Eps
	rows := len(in[0]) / max(1, d)
	c.tempSize = max(c.tempSize, d)
	return []step{{n, min(c.parts(rows*(20+d)), max(1, d/64)), func(part, parts int) {
		lo, hi := chunk(d, 16, part, parts)
		sum, normal := out[lo:hi], c.temps[part][:d]
		clear(sum)
		for i := range rows {
			inverse := centre(normal, in[0][i*d:][:d], eps)
			piece := normal[lo:hi]
			vec.Mul(piece, piece, in[1][i*d+lo:])
			vec.Affine(piece, piece, inverse, 0)
			vec.Add(sum, sum, piece)
		}
	}}}
}

func chooseBatchNorm(c *compiler, n *graph.Node) kernel {
	x := c.root(n.Inputs()[0])
	if x.Shape().Equal(n.Shape()) && c.made[place{x, lanes}] {
		return kernel{in: []layout{lanes}, out: lanes, emit: batchNorm(vec.Lanes)}
	}
	return kernel{emit: batchNorm(1)}
}

// batchNorm works on planes [N,C,…], with so many images interleaved: the channel is the second axis of both layouts.
func batchNorm(interleaved int) func(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	return func(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
		channels, eps := n.Dim(1), n.Attrs().(graph.NormAttrs).Eps
		plane := n.Shape()[2:].Size() * interleaved
		return []step{c.loop(n, len(out)/plane, 1, 4+plane/4, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				ch := k % channels
				scale := float32(float64(in[1][ch]) / math.Sqrt(float64(in[4][ch])+eps))
				shift := in[2][ch] - in[3][ch]*scale
				vec.Affine(out[k*plane:(k+1)*plane], in[0][k*plane:(k+1)*plane], scale, shift)
			}
		})}
	}
}
