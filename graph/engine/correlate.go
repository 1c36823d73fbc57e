package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// correlating computes the gradient of a kernel: dot products of the output's gradient with the moved input.
type correlating struct {
	c                 *compiler
	node              *graph.Node
	images            int
	groups            int
	outputs, channels int // of one group
	oh, ow            int
	h, w              int // of the padded input
	window            graph.ConvAttrs
	kernel            [2]int
	x, dy, dw         []float32
	padded            bool
	srcH, srcW        int
}

func emitConvWeightGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, x, dy := n.Attrs().(graph.ConvWeightGradAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	v := &correlating{c: c, node: n, images: x[0], groups: a.Groups, outputs: dy[1] / a.Groups, channels: x[1] / a.Groups, oh: dy[2], ow: dy[3],
		h: x[2] + 2*a.Pad[0] + a.Extra[0], w: x[3] + 2*a.Pad[1] + a.Extra[1], window: a.ConvAttrs, kernel: a.Kernel,
		x: in[0], dy: in[1], dw: out, padded: a.Pad != [2]int{} || a.Extra != [2]int{}, srcH: x[2], srcW: x[3]}
	var steps []step
	if v.images%vec.Lanes != 0 {
		steps = append(steps, step{n, 1, v.clean})
	}
	if v.padded {
		planes := blocks(v.images) * v.groups * v.channels
		c.work.need(planes * v.h * v.w * vec.Lanes)
		steps = append(steps, c.loop(n, planes, 1, v.h*v.w*4, v.padPlanes))
	}
	work := blocks(v.images) * v.oh * v.ow * vec.CorrelateRows * vec.CorrelateCols / 2
	return append(steps, c.loop(n, v.groups*v.rowTiles()*v.columnTiles(), 1, work, func(lo, hi int) {
		for t := lo; t < hi; t++ {
			row := t / v.columnTiles()
			v.tile(row/v.rowTiles(), row%v.rowTiles(), t%v.columnTiles())
		}
	}))
}

// clean zeroes the lanes past the last image, which may hold anything, in both operands.
func (v *correlating) clean(_, _ int) {
	present, last := v.images%vec.Lanes, blocks(v.images)-1
	for _, s := range [][]float32{v.x[last*v.groups*v.channels*v.srcH*v.srcW*vec.Lanes:], v.dy[last*v.groups*v.outputs*v.oh*v.ow*vec.Lanes:]} {
		for ; len(s) > 0; s = s[vec.Lanes:] {
			clear(s[present:vec.Lanes])
		}
	}
}

// padPlanes copies planes of the input into the workspace, with zeros around.
func (v *correlating) padPlanes(lo, hi int) {
	row, src := v.w*vec.Lanes, v.srcW*vec.Lanes
	for k := lo; k < hi; k++ {
		plane := v.c.work.data[k*v.h*row:][:v.h*row]
		clear(plane)
		for y := range v.srcH {
			copy(plane[(y+v.window.Pad[0])*row+v.window.Pad[1]*vec.Lanes:], v.x[(k*v.srcH+y)*src:][:src])
		}
	}
}

// rowTiles counts tiles along the outputs; with fewer outputs than a tile has rows, each is a tile.
func (v *correlating) rowTiles() int {
	if v.outputs < vec.CorrelateRows {
		return v.outputs
	}
	return (v.outputs + vec.CorrelateRows - 1) / vec.CorrelateRows
}

func (v *correlating) depth() int { return v.channels * v.kernel[0] * v.kernel[1] }

func (v *correlating) columnTiles() int {
	return (v.depth() + vec.CorrelateCols - 1) / vec.CorrelateCols
}

// tile computes one tile over all blocks. Tiles at the edge are moved back inside and compute some results twice.
func (v *correlating) tile(group, row, column int) {
	plane := v.oh * v.ow * vec.Lanes
	first, dyPlane := min(row*vec.CorrelateRows, v.outputs-vec.CorrelateRows), plane
	if first < 0 {
		first, dyPlane = row, 0
	}
	var at [vec.CorrelateCols]int
	for j := range at {
		k := min(column*vec.CorrelateCols+j, v.depth()-1)
		channel, q := k/(v.kernel[0]*v.kernel[1]), k%(v.kernel[0]*v.kernel[1])
		at[j] = (((group*v.channels+channel)*v.h+q/v.kernel[1]*v.window.Dilation[0])*v.w + q%v.kernel[1]*v.window.Dilation[1]) * vec.Lanes
	}
	x := v.x
	if v.padded {
		x = v.c.work.data
	}
	var sums [vec.CorrelateRows * vec.CorrelateCols]float32
	size := v.groups * v.channels * v.h * v.w * vec.Lanes
	for b := range blocks(v.images) {
		vec.Correlate(&sums, v.dy[((b*v.groups+group)*v.outputs+first)*plane:], dyPlane, v.ow*vec.Lanes,
			x[b*size:][:size], &at, v.window.Stride[0]*v.w*vec.Lanes, v.window.Stride[1]*vec.Lanes, v.oh, v.ow)
	}
	from, to := row*vec.CorrelateRows-first, vec.CorrelateRows
	if dyPlane == 0 {
		from, to = 0, 1
	}
	v.store(&sums, group*v.outputs+first, from, to, column)
}

// store writes the tile's rows from…to-1; the others belong to another tile, which may be under way.
func (v *correlating) store(sums *[vec.CorrelateRows * vec.CorrelateCols]float32, first, from, to, column int) {
	for i := from; i < to; i++ {
		for j := range vec.CorrelateCols {
			if k := column*vec.CorrelateCols + j; k < v.depth() {
				v.dw[(first+i)*v.depth()+k] = sums[i*vec.CorrelateCols+j]
			}
		}
	}
}
