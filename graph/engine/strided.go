package engine

import (
	"slices"

	"graft/graph"
)

// strided is a value as it lies within another one's buffer, before slices, transpositions and reshapes would have copied
// it: the element at an index is at + Σ index·strides.
type strided struct {
	root    *graph.Node
	at      int
	shape   graph.Shape
	strides []int
}

func plainView(root, n *graph.Node) strided {
	return strided{root: root, shape: n.Shape(), strides: n.Shape().Strides()}
}

// strided follows a value back to where its elements lie.
func (us *units) strided(n *graph.Node) strided {
	if root := us.root(n); us.of[root] != nil { // of an attention only the result exists
		return plainView(root, n)
	}
	switch n.Op() {
	case graph.OpReshape:
		if v, ok := us.strided(n.Inputs()[0]).reshape(n.Shape()); ok {
			return v
		}
	case graph.OpTranspose:
		v := us.strided(n.Inputs()[0])
		out := strided{root: v.root, at: v.at, shape: n.Shape(), strides: make([]int, len(v.strides))}
		for i, p := range n.Attrs().(graph.TransposeAttrs).Perm {
			out.strides[i] = v.strides[p]
		}
		return out
	case graph.OpSlice:
		v := us.strided(n.Inputs()[0])
		v.at += graph.Offset(v.strides, n.Attrs().(graph.SliceAttrs).Starts)
		v.shape = n.Shape()
		return v
	}
	return plainView(us.root(n), n)
}

// reshape gives the elements another shape where that needs no copy: each group of axes that becomes another group lies
// evenly spaced.
func (s strided) reshape(to graph.Shape) (strided, bool) {
	out := strided{root: s.root, at: s.at, shape: slices.Clone(to), strides: make([]int, len(to))}
	var sizes, steps []int // without axes of one element
	for i, size := range s.shape {
		if size != 1 {
			sizes, steps = append(sizes, size), append(steps, s.strides[i])
		}
	}
	for j := len(to) - 1; j >= 0; j-- {
		if to[j] == 1 {
			continue
		}
		// From the last axis on: the axes of both shapes that hold equally many elements together.
		last := len(sizes) - 1
		size, step := sizes[last], steps[last]
		sizes, steps = sizes[:last], steps[:last]
		for held := to[j]; ; held *= to[j] {
			for size < held && len(sizes) > 0 && steps[len(steps)-1] == step*size {
				size *= sizes[len(sizes)-1]
				sizes, steps = sizes[:len(sizes)-1], steps[:len(steps)-1]
			}
			if size%held != 0 {
				return out, false
			}
			out.strides[j] = step * (held / to[j])
			if size == held {
				break
			}
			for j--; to[j] == 1; j-- { // there are more, as elements are left
			}
		}
	}
	for j := len(to) - 1; j >= 0; j-- { // axes of one element as if they had more
		if to[j] == 1 {
			out.strides[j] = 1
			if j+1 < len(to) {
				out.strides[j] = out.strides[j+1] * to[j+1]
			}
		}
	}
	return out, true
}

// matrix tells whether the last two axes are a matrix, or the transpose of one, whose rows lie in one piece each.
func (s strided) matrix() bool {
	rank := len(s.shape)
	return rank >= 2 && (s.strides[rank-1] == 1 || s.strides[rank-2] == 1)
}
