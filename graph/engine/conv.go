package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// convolving computes a convolution, or the gradient of its input, over interleaved images: for vec.Outputs channels
// at a time, the window's places times packed weights.
type convolving struct {
	c                      *compiler
	node                   *graph.Node
	segments               []segment
	images                 int
	groups                 int
	results, sources       int // channels of one group
	plane, srcPlane        int // elements of one channel of one block
	places                 int // of the window
	x, y, w, bias          []float32
	groupW, outerW, innerW int // steps in w of a group, of a result channel and of a source channel
}

func emitConv(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, x, w := n.Attrs().(graph.ConvAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	s := n.Shape()
	g := grid{s[2], s[3], x[2], x[3], [2]int{w[2], w[3]}, a, false}
	v := &convolving{c: c, node: n, images: s[0], groups: a.Groups, results: w[0] / a.Groups, sources: w[1], x: in[0], y: out, w: in[1],
		groupW: w.Size() / a.Groups, outerW: w[1] * w[2] * w[3], innerW: w[2] * w[3]}
	if len(in) == 3 {
		v.bias = in[2]
	}
	return v.steps(g)
}

func emitConvInputGrad(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, dy, w := n.Attrs().(graph.ConvInputGradAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	s := n.Shape()
	g := grid{s[2], s[3], dy[2], dy[3], [2]int{w[2], w[3]}, a.ConvAttrs, true}
	v := &convolving{c: c, node: n, images: s[0], groups: a.Groups, results: w[1], sources: w[0] / a.Groups, x: in[0], y: out, w: in[1],
		groupW: w.Size() / a.Groups, outerW: w[2] * w[3], innerW: w[1] * w[2] * w[3]}
	return v.steps(g)
}

// tiles counts the runs of channels that are computed at a time: each belongs to one group.
func (v *convolving) tiles() int { return v.groups * v.groupTiles() }

func (v *convolving) groupTiles() int { return (v.results + vec.Outputs - 1) / vec.Outputs }

// tile tells a tile's group, and its first result channel and their number in it.
func (v *convolving) tile(t int) (group, first, n int) {
	group, first = t/v.groupTiles(), t%v.groupTiles()*vec.Outputs
	return group, first, min(vec.Outputs, v.results-first)
}

func (v *convolving) steps(g grid) []step {
	v.places = g.kernel[0] * g.kernel[1]
	v.segments = g.segments(vec.Outputs)
	v.plane, v.srcPlane = g.h*g.w*vec.Lanes, g.srcH*g.srcW*vec.Lanes
	// Tasks are pairs of block and tile, cut by rows if those are fewer than threads.
	tasks, rows := blocks(v.images)*v.tiles(), 1
	if tasks < v.c.threads {
		rows = min(g.h, (v.c.threads+tasks-1)/tasks)
	}
	work := v.plane * v.sources * v.places * vec.Outputs / 30 / rows
	return []step{
		v.packing(),
		v.c.loop(v.node, tasks*rows, 1, work, func(lo, hi int) {
			for t := lo; t < hi; t++ {
				from, to := chunk(len(v.segments), 1, t%rows, rows)
				v.compute(t/rows, v.segments[from:to])
			}
		}),
	}
}

// packing has the weights packed into the workspace before anything else: see pack.
func (v *convolving) packing() step {
	v.c.work.need(v.packed())
	return v.c.loop(v.node, v.tiles()*v.sources, 1, v.places*8, v.pack)
}

// packed is the room that weights and bias take.
func (v *convolving) packed() int { return v.tiles() * (v.sources*v.places + 1) * vec.Outputs }

// pack orders the weights as vec.Taps reads them, [tiles,sources,places,vec.Outputs], and the bias after them.
func (v *convolving) pack(lo, hi int) {
	packed := v.c.work.data
	for k := lo; k < hi; k++ {
		t, source := k/v.sources, k%v.sources
		group, first, n := v.tile(t)
		dst := packed[k*v.places*vec.Outputs:][:v.places*vec.Outputs]
		for o := range n {
			src := v.w[group*v.groupW+(first+o)*v.outerW+source*v.innerW:][:v.places]
			for q, f := range src {
				dst[q*vec.Outputs+o] = f
			}
		}
		if source == 0 {
			bias := packed[(v.tiles()*v.sources*v.places+t)*vec.Outputs:][:vec.Outputs]
			clear(bias)
			if v.bias != nil {
				copy(bias, v.bias[group*v.results+first:][:n])
			}
		}
	}
}

// weights are a tile's weights and bias, packed.
func (v *convolving) weights(tile int) (w, bias []float32) {
	size := v.sources * v.places * vec.Outputs
	return v.c.work.data[tile*size:][:size], v.c.work.data[v.tiles()*size+tile*vec.Outputs:][:vec.Outputs]
}

func (v *convolving) compute(task int, segments []segment) {
	block, tile := task/v.tiles(), task%v.tiles()
	group, first, outputs := v.tile(tile)
	w, bias := v.weights(tile)
	x := v.x[(block*v.groups+group)*v.sources*v.srcPlane:][:v.sources*v.srcPlane]
	y := v.y[((block*v.groups+group)*v.results+first)*v.plane:][:outputs*v.plane]
	for i := range segments {
		s := &segments[i]
		vec.Taps(outputs, y[s.at:], v.plane, s.step, x[s.src:], v.srcPlane, s.srcStep, &s.window, v.sources, s.n, w, v.places*vec.Outputs, bias)
	}
}
