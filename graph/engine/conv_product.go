package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// multiplied computes a convolution of one group as products: the kernels [O,C·kh·kw] by the columns of elements that
// each place of the window covers. A piece of the work is so many rows of results of one image, or several small images.
type multiplied struct {
	node              *graph.Node
	window            graph.ConvAttrs
	kernel            [2]int
	images            int
	together          int // images in a piece
	rows, pieces      int // of results in a piece, and pieces of an image
	blocks            int // the outputs are cut into, where pieces are fewer than threads
	outputs, channels int
	oh, ow, h, w      int
	depth             int // elements of a kernel
	x, weights, out   []float32
	bias              []float32
	data              *workspace
	size, columns     int  // of a thread's part of the workspace, and how much of that columns take
	inPlace           bool // the columns are the images
	transposed        bool // the weights
}

// A piece has at least so many columns, if its image or images together have them: each copies the weights. More of them
// are one piece as long as their elements are no more than pieceSize.
const (
	wide      = 384
	pieceSize = 384 << 10
)

func emitConvProducts(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	x, w, s := n.Inputs()[0].Shape(), n.Inputs()[1].Shape(), n.Shape()
	v := &multiplied{node: n, window: n.Attrs().(graph.ConvAttrs), kernel: [2]int{w[2], w[3]}, images: s[0], outputs: w[0], channels: w[1],
		oh: s[2], ow: s[3], h: x[2], w: x[3], depth: w[1:].Size(), x: in[0], weights: in[1], out: out, data: &c.work}
	if len(in) == 3 {
		v.bias = in[2]
	}
	v.inPlace = pointwise(v.window, n.Inputs()[1])
	return v.steps(c)
}

// emitPointwiseInputGrad: the weights are transposed, and results and sources change places.
func emitPointwiseInputGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	s, dy := n.Shape(), n.Inputs()[0].Shape()
	v := &multiplied{node: n, window: n.Attrs().(graph.ConvInputGradAttrs).ConvAttrs, kernel: [2]int{1, 1}, images: s[0], outputs: s[1], channels: dy[1],
		oh: s[2], ow: s[3], h: s[2], w: s[3], depth: dy[1], x: in[0], weights: in[1], out: out, data: &c.work, inPlace: true, transposed: true}
	return v.steps(c)
}

func (v *multiplied) steps(c *compiler) []step {
	if v.inPlace { // any cut will do
		v.oh, v.ow, v.h, v.w = 1, v.oh*v.ow, 1, v.h*v.w
	}
	v.rows, v.together = min(v.oh, max(1, max(pieceSize/v.depth, wide)/v.ow)), 1
	if v.rows == v.oh {
		v.together = max(1, min(v.images, wide/(v.oh*v.ow)))
	}
	v.pieces = (v.oh + v.rows - 1) / v.rows
	v.inPlace = v.inPlace && v.together == 1
	tasks := (v.images + v.together - 1) / v.together * v.pieces
	v.blocks = max(1, min(v.outputs/8, (c.threads+tasks-1)/tasks))
	tasks *= v.blocks
	if !v.inPlace {
		v.columns = v.together * v.depth * v.rows * v.ow
	}
	if v.size = v.columns + line; v.together > 1 {
		v.size += v.outputs * v.together * v.oh * v.ow
	}
	c.work.need(v.size * c.threads)
	return []step{{v.node, min(tasks, c.parts(graph.MACs(v.node)/24)), func(part, parts int) {
		lo, hi := chunk(tasks, 1, part, parts)
		for t := lo; t < hi; t++ {
			v.compute(v.data.data[part*v.size:][:v.size], t/(v.pieces*v.blocks)*v.together, t/v.blocks%v.pieces, t%v.blocks)
		}
	}}}
}

// compute makes the results of a piece, that begins with an image, for a block of the outputs.
func (v *multiplied) compute(room []float32, image, piece, block int) {
	images := min(v.together, v.images-image)
	first, last := piece*v.rows, min(v.oh, (piece+1)*v.rows)
	n := (last - first) * v.ow
	columns, ld := v.x[image*v.channels*v.h*v.w:], v.h*v.w
	if !v.inPlace {
		columns, ld = room[:v.columns], images*n
		for i := range images {
			v.gather(columns[i*n:], ld, v.x[(image+i)*v.channels*v.h*v.w:], first, last)
		}
	}
	from, to := chunk(v.outputs, 1, block, v.blocks)
	plane := v.oh * v.ow
	y, ldy := v.out[(image*v.outputs+from)*plane+first*v.ow:], plane
	if v.together > 1 {
		y, ldy = room[v.columns:], images*n
	}
	weights, lda := v.weights[from*v.depth:], v.depth
	if v.transposed {
		weights, lda = v.weights[from:], v.outputs
	}
	gemm(v.transposed, false, to-from, images*n, v.depth, weights, lda, columns, ld, y, ldy)
	for i := range images {
		for o := from; o < to; o++ {
			v.finish(v.out[((image+i)*v.outputs+o)*plane+first*v.ow:][:n], y[(o-from)*ldy+i*n:][:n], o)
		}
	}
}

// finish puts a row of results where it belongs, if it is not there yet, and adds the bias.
func (v *multiplied) finish(dst, src []float32, o int) {
	switch {
	case v.bias != nil:
		vec.Affine(dst, src, 1, v.bias[o])
	case v.together > 1:
		copy(dst, src)
	}
}

// gather lays out the elements that each place of the rows first…last-1 covers, [depth][places], ld from row to row.
func (v *multiplied) gather(dst []float32, ld int, x []float32, first, last int) {
	line := 0
	for ch := range v.channels {
		plane := x[ch*v.h*v.w:][:v.h*v.w]
		for ky := range v.kernel[0] {
			for kx := range v.kernel[1] {
				for y := first; y < last; y++ {
					row := dst[line*ld+(y-first)*v.ow:][:v.ow]
					at := y*v.window.Stride[0] + ky*v.window.Dilation[0] - v.window.Pad[0]
					if at < 0 || at >= v.h {
						clear(row)
						continue
					}
					lo, hi := spaced(row, plane[at*v.w:][:v.w], kx*v.window.Dilation[1]-v.window.Pad[1], v.window.Stride[1])
					clear(row[:lo])
					clear(row[hi:])
				}
				line++
			}
		}
	}
}

// spaced copies src[start+i·step] to dst[i], for the i of lo…hi-1 at which that is inside.
func spaced(dst, src []float32, start, step int) (lo, hi int) {
	lo = min(len(dst), max(0, (step-1-start)/step))
	hi = lo
	if left := len(src) - start; left > 0 {
		hi = max(lo, min(len(dst), (left+step-1)/step))
	}
	if lo == hi {
		return lo, hi
	}
	dst, src = dst[lo:hi], src[start+lo*step:]
	switch step {
	case 1:
		copy(dst, src)
	case 2:
		vec.Halve(dst, src)
	default:
		for i := range dst {
			dst[i] = src[i*step]
		}
	}
	return lo, hi
}
