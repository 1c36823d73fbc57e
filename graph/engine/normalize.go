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
			x, y := in[0][i:i+d], out[i:i+d]
			vec.Affine(y, x, 1, -vec.Sum(x)/float32(d))
			inverse := 1 / math.Sqrt(float64(vec.Dot(y, y))/float64(d)+eps)
			vec.Affine(y, y, float32(inverse), 0)
			vec.Mul(y, y, scale)
			vec.Add(y, y, bias)
		}
	})}
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
