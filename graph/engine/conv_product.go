package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// fewImages is up to how many of them a convolution takes one by one: interleaved, sixteen cost as much as one.
const fewImages = 8

// chooseConv takes few images one by one: as matrix products, or of several groups by vectors along the rows.
func chooseConv(_ *compiler, n *graph.Node) kernel {
	a := n.Attrs().(graph.ConvAttrs)
	switch {
	case n.Dim(0) > fewImages:
		return kernel{in: []layout{lanes}, out: lanes, emit: emitConv}
	case a.Groups == 1:
		return kernel{emit: emitConvProducts}
	}
	return kernel{emit: emitConvGroups}
}

// multiplied computes a convolution of one group as products: the kernels [O,C·kh·kw] by the columns of elements that
// each place of the window covers. Pieces of an image, so many rows of results, have their columns side by side.
type multiplied struct {
	node              *graph.Node
	window            graph.ConvAttrs
	kernel            [2]int
	images, pieces    int
	rows              int // of results in a piece
	blocks            int // the outputs are cut into, where pieces are fewer than threads
	outputs, channels int
	oh, ow, h, w      int
	depth             int // elements of a kernel
	x, weights, out   []float32
	bias              []float32
	data              *workspace
	size              int // of a thread's part of the workspace
	inPlace           bool
}

// pieceSize is the number of elements that a piece's columns should have: they stay in the second-level cache.
const pieceSize = 96 << 10

func emitConvProducts(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	x, w, s := n.Inputs()[0].Shape(), n.Inputs()[1].Shape(), n.Shape()
	v := &multiplied{node: n, window: n.Attrs().(graph.ConvAttrs), kernel: [2]int{w[2], w[3]}, images: s[0], outputs: w[0], channels: w[1],
		oh: s[2], ow: s[3], h: x[2], w: x[3], depth: w[1:].Size(), x: in[0], weights: in[1], out: out, data: &c.work}
	if len(in) == 3 {
		v.bias = in[2]
	}
	v.inPlace = v.kernel == [2]int{1, 1} && s[2:].Equal(x[2:]) && v.window.Pad == [2]int{}
	if v.inPlace { // any cut will do
		v.oh, v.ow, v.h, v.w = 1, s[2]*s[3], 1, x[2]*x[3]
	}
	v.rows = min(v.oh, max(1, pieceSize/(v.depth*v.ow)))
	v.pieces = (v.oh + v.rows - 1) / v.rows
	v.blocks = max(1, min(v.outputs/8, (c.threads+v.images*v.pieces-1)/(v.images*v.pieces)))
	if !v.inPlace {
		v.size = v.depth*v.rows*v.ow + line
		c.work.need(v.size * c.threads)
	}
	tasks := v.images * v.pieces * v.blocks
	parts := min(tasks, c.parts(graph.MACs(n)/24))
	return []step{{n, parts, func(part, parts int) {
		lo, hi := chunk(tasks, 1, part, parts)
		for t := lo; t < hi; t++ {
			v.compute(part, t/(v.pieces*v.blocks), t/v.blocks%v.pieces, t%v.blocks)
		}
	}}}
}

// compute makes the results of a piece of an image for a block of the outputs.
func (v *multiplied) compute(part, image, piece, block int) {
	first, last := piece*v.rows, min(v.oh, (piece+1)*v.rows)
	n := (last - first) * v.ow
	columns, ld := v.x[image*v.channels*v.h*v.w:], v.h*v.w
	if !v.inPlace {
		source := columns
		columns, ld = v.data.data[part*v.size:], n
		v.gather(columns, source, first, last)
	}
	from, to := chunk(v.outputs, 1, block, v.blocks)
	plane := v.oh * v.ow
	y := v.out[(image*v.outputs+from)*plane+first*v.ow:]
	gemm(false, false, to-from, n, v.depth, v.weights[from*v.depth:], v.depth, columns, ld, y, plane)
	if v.bias != nil {
		for o := range to - from {
			row := y[o*plane:][:n]
			vec.Affine(row, row, 1, v.bias[from+o])
		}
	}
}

// gather lays out the elements that each place of the rows first…last-1 covers, [depth][places].
func (v *multiplied) gather(dst, x []float32, first, last int) {
	for ch := range v.channels {
		plane := x[ch*v.h*v.w:][:v.h*v.w]
		for ky := range v.kernel[0] {
			for kx := range v.kernel[1] {
				for y := first; y < last; y++ {
					row := dst[:v.ow]
					dst = dst[v.ow:]
					at := y*v.window.Stride[0] + ky*v.window.Dilation[0] - v.window.Pad[0]
					if at < 0 || at >= v.h {
						clear(row)
						continue
					}
					spaced(row, plane[at*v.w:][:v.w], kx*v.window.Dilation[1]-v.window.Pad[1], v.window.Stride[1])
				}
			}
		}
	}
}

// spaced copies src[start+i·step] to dst[i], zeros where that lies outside.
func spaced(dst, src []float32, start, step int) {
	lo := min(len(dst), max(0, (step-1-start)/step))
	hi := lo
	if left := len(src) - start; left > 0 {
		hi = max(lo, min(len(dst), (left+step-1)/step))
	}
	clear(dst[:lo])
	clear(dst[hi:])
	if lo == hi {
		return
	}
	if step == 1 {
		copy(dst[lo:hi], src[start+lo:])
		return
	}
	for i, at := lo, start+lo*step; i < hi; i, at = i+1, at+step {
		dst[i] = src[at]
	}
}
