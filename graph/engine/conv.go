package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// convolving computes a convolution, or the gradient of its input, over interleaved images: for vec.Outputs channels
// at a time, the window's places times packed weights.
type convolving struct {
	c                *compiler
	node             *graph.Node
	segments         []segment
	images           int
	results, sources int // channels
	plane, srcPlane  int // elements of one channel of one block
	places           int // of the window
	x, y, w, bias    []float32
	outerW, innerW   int // steps in w of a result channel and of a source channel
}

func emitConv(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, x, w := n.Attrs().(graph.ConvAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	s := n.Shape()
	g := grid{s[2], s[3], x[2], x[3], [2]int{w[2], w[3]}, a.Stride, a.Pad, false}
	v := &convolving{c: c, node: n, images: s[0], results: w[0], sources: w[1], x: in[0], y: out, w: in[1],
		outerW: w[1] * w[2] * w[3], innerW: w[2] * w[3]}
	if len(in) == 3 {
		v.bias = in[2]
	}
	return v.steps(g)
}

func emitConvInputGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, dy, w := n.Attrs().(graph.ConvInputGradAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	s := n.Shape()
	g := grid{s[2], s[3], dy[2], dy[3], [2]int{w[2], w[3]}, a.Stride, a.Pad, true}
	v := &convolving{c: c, node: n, images: s[0], results: w[1], sources: w[0], x: in[0], y: out, w: in[1],
		outerW: w[2] * w[3], innerW: w[1] * w[2] * w[3]}
	return v.steps(g)
}

func (v *convolving) groups() int { return (v.results + vec.Outputs - 1) / vec.Outputs }

func (v *convolving) steps(g grid) []step {
	v.places = g.kernel[0] * g.kernel[1]
	v.segments = g.segments(vec.Outputs)
	v.plane, v.srcPlane = g.h*g.w*vec.Lanes, g.srcH*g.srcW*vec.Lanes
	weights := v.groups() * v.sources * v.places * vec.Outputs
	v.c.work.need(weights + v.groups()*vec.Outputs)
	// Tasks are pairs of block and group of channels, cut by rows if those are fewer than threads.
	tasks, rows := blocks(v.images)*v.groups(), 1
	if tasks < v.c.threads {
		rows = min(g.h, (v.c.threads+tasks-1)/tasks)
	}
	work := v.plane * v.sources * v.places * vec.Outputs / 30 / rows
	return []step{
		v.c.loop(v.node, v.groups()*v.sources, 1, v.places*8, v.pack),
		v.c.loop(v.node, tasks*rows, 1, work, func(lo, hi int) {
			for t := lo; t < hi; t++ {
				from, to := chunk(len(v.segments), 1, t%rows, rows)
				v.compute(t/rows, v.segments[from:to])
			}
		}),
	}
}

// pack orders the weights as vec.Taps reads them, [groups,sources,places,vec.Outputs], and the bias after them.
func (v *convolving) pack(lo, hi int) {
	packed := v.c.work.data
	for k := lo; k < hi; k++ {
		group, source := k/v.sources, k%v.sources
		dst := packed[k*v.places*vec.Outputs:][:v.places*vec.Outputs]
		for o := range vec.Outputs {
			result := group*vec.Outputs + o
			if result >= v.results {
				continue
			}
			src := v.w[result*v.outerW+source*v.innerW:][:v.places]
			for t, f := range src {
				dst[t*vec.Outputs+o] = f
			}
		}
		if source == 0 {
			bias := packed[v.groups()*v.sources*v.places*vec.Outputs+group*vec.Outputs:][:vec.Outputs]
			clear(bias)
			if v.bias != nil {
				copy(bias, v.bias[group*vec.Outputs:])
			}
		}
	}
}

func (v *convolving) compute(task int, segments []segment) {
	block, group := task/v.groups(), task%v.groups()
	size := v.sources * v.places * vec.Outputs
	w := v.c.work.data[group*size:][:size]
	bias := v.c.work.data[v.groups()*size+group*vec.Outputs:][:vec.Outputs]
	x := v.x[block*v.sources*v.srcPlane:][:v.sources*v.srcPlane]
	first := group * vec.Outputs
	outputs := min(vec.Outputs, v.results-first)
	y := v.y[(block*v.results+first)*v.plane:][:outputs*v.plane]
	for i := range segments {
		s := &segments[i]
		vec.Taps(outputs, y[s.at:], v.plane, s.step, x[s.src:], v.srcPlane, s.srcStep, &s.window, v.sources, s.n, w, v.places*vec.Outputs, bias)
	}
}

// correlating computes the gradient of a kernel: dot products of the output's gradient with the moved input.
type correlating struct {
	c                   *compiler
	node                *graph.Node
	images              int
	outputs, channels   int
	oh, ow              int
	h, w                int // of the padded input
	stride, pad, kernel [2]int
	x, dy, dw           []float32
	padded              bool
	srcH, srcW          int
}

func emitConvWeightGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, x, dy := n.Attrs().(graph.ConvWeightGradAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	v := &correlating{c: c, node: n, images: x[0], outputs: dy[1], channels: x[1], oh: dy[2], ow: dy[3],
		h: x[2] + 2*a.Pad[0], w: x[3] + 2*a.Pad[1], stride: a.Stride, pad: a.Pad, kernel: a.Kernel,
		x: in[0], dy: in[1], dw: out, padded: a.Pad != [2]int{}, srcH: x[2], srcW: x[3]}
	var steps []step
	if v.images%vec.Lanes != 0 {
		steps = append(steps, step{n, 1, v.clean})
	}
	if v.padded {
		planes := blocks(v.images) * v.channels
		c.work.need(planes * v.h * v.w * vec.Lanes)
		steps = append(steps, c.loop(n, planes, 1, v.h*v.w*4, v.padPlanes))
	}
	work := blocks(v.images) * v.oh * v.ow * vec.CorrelateRows * vec.CorrelateCols / 2
	return append(steps, c.loop(n, v.rowTiles()*v.columnTiles(), 1, work, func(lo, hi int) {
		for t := lo; t < hi; t++ {
			v.tile(t/v.columnTiles(), t%v.columnTiles())
		}
	}))
}

// clean zeroes the lanes past the last image, which may hold anything, in both operands.
func (v *correlating) clean(_, _ int) {
	present, last := v.images%vec.Lanes, blocks(v.images)-1
	for _, s := range [][]float32{v.x[last*v.channels*v.srcH*v.srcW*vec.Lanes:], v.dy[last*v.outputs*v.oh*v.ow*vec.Lanes:]} {
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
			copy(plane[(y+v.pad[0])*row+v.pad[1]*vec.Lanes:], v.x[(k*v.srcH+y)*src:][:src])
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
func (v *correlating) tile(row, column int) {
	plane := v.oh * v.ow * vec.Lanes
	first, dyPlane := min(row*vec.CorrelateRows, v.outputs-vec.CorrelateRows), plane
	if first < 0 {
		first, dyPlane = row, 0
	}
	var at [vec.CorrelateCols]int
	for j := range at {
		k := min(column*vec.CorrelateCols+j, v.depth()-1)
		channel, q := k/(v.kernel[0]*v.kernel[1]), k%(v.kernel[0]*v.kernel[1])
		at[j] = ((channel*v.h+q/v.kernel[1])*v.w + q%v.kernel[1]) * vec.Lanes
	}
	x := v.x
	if v.padded {
		x = v.c.work.data
	}
	var sums [vec.CorrelateRows * vec.CorrelateCols]float32
	size := v.channels * v.h * v.w * vec.Lanes
	for b := range blocks(v.images) {
		vec.Correlate(&sums, v.dy[(b*v.outputs+first)*plane:], dyPlane, v.ow*vec.Lanes,
			x[b*size:][:size], &at, v.stride[0]*v.w*vec.Lanes, v.stride[1]*vec.Lanes, v.oh, v.ow)
	}
	from, to := row*vec.CorrelateRows-first, vec.CorrelateRows
	if dyPlane == 0 {
		from, to = 0, 1
	}
	v.store(&sums, first, from, to, column)
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
