package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// reduction adds up, or takes the maxima of, runs of neighbouring elements.
type reduction struct {
	src, dst []float32
	largest  bool
	scale    float32 // of the sums; 1 is left out
	run      int     // neighbours: reduced together, or kept side by side
	kept     []int   // where each result (or each row of results) begins in src
	over     []int   // the runs that belong to it, relative to that
}

// newReduction splits the axes; sideBySide tells that the innermost axis is kept.
func newReduction(x graph.Shape, over []int) (r *reduction, sideBySide bool) {
	r = &reduction{scale: 1, run: 1}
	strides, inner := x.Strides(), len(x)
	isOver := func(a int) bool { return slices.Contains(over, a) }
	for inner > 0 && (x[inner-1] == 1 || inner == len(x) || isOver(inner-1) == isOver(len(x)-1)) {
		inner--
		r.run *= x[inner]
	}
	sideBySide = len(x) > 0 && !isOver(len(x)-1)
	r.kept, r.over = []int{0}, []int{0}
	for a := range inner {
		list := &r.kept
		if isOver(a) {
			list = &r.over
		}
		var next []int
		for _, at := range *list {
			for i := range x[a] {
				next = append(next, at+i*strides[a])
			}
		}
		*list = next
	}
	return r, sideBySide
}

func emitReduce(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	x := n.Inputs()[0].Shape()
	r, sideBySide := newReduction(x, n.Attrs().(graph.ReduceAttrs).Axes)
	r.src, r.dst, r.largest = in[0], out, n.Op() == graph.OpReduceMax
	if n.Op() == graph.OpReduceMean {
		r.scale = float32(float64(n.Shape().Size()) / float64(x.Size()))
	}
	work := len(r.over) * (4 + r.run/8)
	switch {
	case !sideBySide:
		return []step{c.loop(n, len(r.kept), 16, work, r.runs)}
	case len(r.kept) == 1: // columns of one matrix
		return []step{c.loop(n, r.run, 16, len(r.over)/2+1, func(lo, hi int) { r.columns(0, lo, hi) })}
	}
	return []step{c.loop(n, len(r.kept), 1, work, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			r.columns(k, 0, r.run)
		}
	})}
}

// runs reduces whole runs, for results lo…hi-1.
func (r *reduction) runs(lo, hi int) {
	for k := lo; k < hi; k++ {
		at := r.kept[k]
		if r.largest {
			best := r.src[at+r.over[0]]
			for _, o := range r.over {
				best = largest(best, r.src[at+o:][:r.run])
			}
			r.dst[k] = best
			continue
		}
		var s float32
		for _, o := range r.over {
			s += vec.Sum(r.src[at+o:][:r.run])
		}
		r.dst[k] = s * r.scale
	}
}

// largest keeps a NaN once met. vec.Largest passes over it; the sum shows that there is none.
func largest(best float32, v []float32) float32 {
	if len(v) >= 32 {
		if sum := vec.Sum(v); sum == sum && best == best {
			return max(best, vec.Largest(v))
		}
	}
	for _, x := range v {
		if x > best || x != x {
			best = x
		}
	}
	return best
}

// columns reduces rows element by element: columns lo…hi-1 of result row k.
func (r *reduction) columns(k, lo, hi int) {
	dst, at := r.dst[k*r.run:][lo:hi], r.kept[k]
	copy(dst, r.src[at+r.over[0]+lo:])
	f := vec.Add
	if r.largest {
		f = vec.Max
	}
	for _, o := range r.over[1:] {
		f(dst, dst, r.src[at+o+lo:][:len(dst)])
	}
	if r.scale != 1 {
		for i := range dst {
			dst[i] *= r.scale
		}
	}
}

// chooseReduce sums interleaved images to one number a channel without separating them first.
func chooseReduce(c *compiler, n *graph.Node) kernel {
	x := c.root(n.Inputs()[0])
	if slices.Equal(n.Attrs().(graph.ReduceAttrs).Axes, []int{0, 2, 3}) && x.Shape().Equal(n.Inputs()[0].Shape()) && c.made[place{x, lanes}] {
		return kernel{in: []layout{lanes}, emit: emitReduceLanes}
	}
	return kernel{emit: emitReduce}
}

func emitReduceLanes(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	x := n.Inputs()[0].Shape()
	images, channels, run := x[0], x[1], x[2]*x[3]*vec.Lanes
	scale := float32(1)
	if n.Op() == graph.OpReduceMean {
		scale = float32(1 / float64(x.Size()/channels))
	}
	return []step{c.loop(n, channels, 1, images*x[2]*x[3]/8, func(lo, hi int) {
		for ch := lo; ch < hi; ch++ {
			var s float32
			for b := range blocks(images) {
				s += sumLanes(in[0][(b*channels+ch)*run:][:run], images-b*vec.Lanes)
			}
			out[ch] = s * scale
		}
	})}
}

// sumLanes adds up the first lanes of a run of interleaved elements.
func sumLanes(v []float32, present int) float32 {
	if present >= vec.Lanes {
		return vec.Sum(v)
	}
	var s float32
	for ; len(v) > 0; v = v[vec.Lanes:] {
		for _, x := range v[:present] {
			s += x
		}
	}
	return s
}
