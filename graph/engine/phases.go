package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// phases lay a plane out, padded, so that a window's places are neighbours whatever the stride: for a stride of 2 rows and
// columns of even number apart from those of odd. Sixteen neighbours of a row then take the part that sixteen images have
// where they are interleaved.
type phases struct {
	window     graph.ConvAttrs
	kernel     [2]int
	h, w       int // of the plane
	oh, ow     int // of the results
	rows, cols int // of a phase
	reach      vec.Window
	offsets    []int64 // the window's places alone
	run        int     // elements of the results, with columns that are left out again, in whole vectors
	size       int     // of the plane laid out
}

// newPhases: weights is the distance of two places in the weights.
func newPhases(window graph.ConvAttrs, kernel [2]int, x, y graph.Shape, weights int) *phases {
	p := &phases{window: window, kernel: kernel, h: x[2], w: x[3], oh: y[2], ow: y[3]}
	covers := func(a, places int) int {
		return ((places-1)*window.Stride[a]+(kernel[a]-1)*window.Dilation[a])/window.Stride[a] + 1
	}
	p.rows, p.cols = covers(0, p.oh), covers(1, p.ow)
	p.run = (p.oh*p.cols + vec.Lanes - 1) / vec.Lanes * vec.Lanes
	var taps []vec.Tap
	for ky := range kernel[0] {
		for kx := range kernel[1] {
			y, x := ky*window.Dilation[0], kx*window.Dilation[1]
			phase := y%window.Stride[0]*window.Stride[1] + x%window.Stride[1]
			at := (phase*p.rows+y/window.Stride[0])*p.cols + x/window.Stride[1]
			taps, p.offsets = append(taps, vec.Tap{X: int64(at), W: int64((ky*kernel[1] + kx) * weights)}), append(p.offsets, int64(at))
			p.size = max(p.size, at+p.run)
		}
	}
	p.reach, p.size = vec.NewWindow(taps), max(p.size, window.Stride[0]*window.Stride[1]*p.rows*p.cols)
	return p
}

// lay copies a plane to where its padding is already.
func (p *phases) lay(dst, plane []float32) {
	sh, sw := p.window.Stride[0], p.window.Stride[1]
	for phase := range sh * sw {
		for i := range p.rows {
			y := i*sh + phase/sw - p.window.Pad[0]
			if y < 0 || y >= p.h {
				continue
			}
			row, src, start := dst[(phase*p.rows+i)*p.cols:][:p.cols], plane[y*p.w:][:p.w], phase%sw-p.window.Pad[1]
			spaced(row, src, start, sw)
		}
	}
}

// take copies results to where they belong, without the columns at the border that no place of the window has.
func (p *phases) take(dst, src []float32) {
	for y := range p.oh {
		copy(dst[y*p.ow:(y+1)*p.ow], src[y*p.cols:])
	}
}

// each runs f for planes' tasks with a part of the workspace that begins with n planes of padding, of room for n planes laid
// out and so many results. before is the room that is taken.
func (p *phases) each(c *compiler, node *graph.Node, tasks, work, before, n, results int, padding float32, f func(t int, planes, results []float32)) step {
	size := (n*p.size+results*p.run+line-1)/line*line + line
	c.work.need(before + size*c.threads)
	return step{node, min(tasks, c.parts(tasks*work)), func(part, parts int) {
		room := c.work.data[before+part*size:][:size]
		fill(room[:n*p.size], padding)
		lo, hi := chunk(tasks, 1, part, parts)
		for t := lo; t < hi; t++ {
			f(t, room[:n*p.size], room[n*p.size:])
		}
	}}
}

// emitConvGroups computes a convolution of several groups, each of which reads few channels.
func emitConvGroups(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	a, x, w := n.Attrs().(graph.ConvAttrs), n.Inputs()[0].Shape(), n.Inputs()[1].Shape()
	s, kernel := n.Shape(), [2]int{w[2], w[3]}
	p := newPhases(a, kernel, x, s, vec.Outputs)
	v := &convolving{c: c, node: n, groups: a.Groups, results: w[0] / a.Groups, sources: w[1], w: in[1], places: kernel[0] * kernel[1],
		groupW: w.Size() / a.Groups, outerW: w[1:].Size(), innerW: kernel[0] * kernel[1]}
	if len(in) == 3 {
		v.bias = in[2]
	}
	plane, result := x[2]*x[3], s[2]*s[3]
	work := p.run * v.sources * (v.places*v.results/16 + 1)
	return []step{v.packing(), p.each(c, n, s[0]*a.Groups, work, (v.packed()+line-1)/line*line, v.sources, vec.Outputs, 0, func(t int, planes, y []float32) {
		for ch := range v.sources {
			p.lay(planes[ch*p.size:][:p.size], in[0][(t*v.sources+ch)*plane:][:plane])
		}
		for k := range v.groupTiles() {
			tile := t%a.Groups*v.groupTiles() + k
			_, first, outputs := v.tile(tile)
			weights, bias := v.weights(tile)
			vec.Taps(outputs, y, p.run, vec.Lanes, planes, p.size, vec.Lanes, &p.reach, v.sources, p.run/vec.Lanes, weights, v.places*vec.Outputs, bias)
			for o := range outputs {
				p.take(out[(t*v.results+first+o)*result:][:result], y[o*p.run:])
			}
		}
	})}
}
