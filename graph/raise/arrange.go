package raise

import (
	"errors"
	"fmt"
	"slices"

	"graft/graph"
)

func init() {
	reshaping := func(shape func(c *call, s []int) ([]int, error)) func(c *call) (*graph.Node, error) {
		return func(c *call) (*graph.Node, error) {
			x, err := c.x(0)
			if err != nil {
				return nil, err
			}
			s, err := shape(c, x.Shape())
			return c.g.Reshape(x, s...), err
		}
	}
	register("Reshape", reshaping(reshaped))
	register("Flatten", reshaping(flattened))
	register("Squeeze", reshaping(squeezed))
	register("Unsqueeze", reshaping(unsqueezed))
	register("Transpose", transpose)
	register("Expand", expand)
	register("Concat", concat)
	register("Gather", gather)
	rules["Split"] = split
}

// reshaped is the shape that Reshape wants: -1 is computed, 0 copied unless allowzero says that it is empty.
func reshaped(c *call, s []int) ([]int, error) {
	to, err := c.setting("shape", 1)
	if err != nil {
		return nil, err
	}
	to = slices.Clone(to)
	for i, d := range to {
		if d == 0 && c.Int("allowzero", 0) == 0 {
			if i >= len(s) {
				return nil, fmt.Errorf("shape %v copies axis %d of %v", to, i, s)
			}
			to[i] = s[i]
		}
	}
	c.renewBatch(to, s)
	return to, nil
}

// renewBatch puts the part's number of examples in the place of the file's where a value of shape s that begins with
// the first gets a shape that begins with the second, and holds as many numbers only so.
func (c *call) renewBatch(to, s []int) {
	n, was := c.options.Batch, c.options.Exported
	if n == was || len(to) == 0 || len(s) == 0 || to[0] != was || s[0] != n {
		return
	}
	if v, err := c.operand(0); err != nil || v.fixed != nil || c.index.Weights[c.Inputs[0]].Name != "" {
		return
	}
	open, rest := slices.Index(to, -1), n
	for _, d := range to[1:] {
		if d != -1 {
			rest *= d
		}
	}
	if size := graph.Shape(s).Size(); rest == size || open > 0 && rest > 0 && size%rest == 0 {
		to[0] = n
	}
}

func flattened(c *call, s []int) ([]int, error) {
	a := int(c.Int("axis", 1))
	if a < 0 {
		a += len(s)
	}
	if a < 0 || a > len(s) {
		return nil, fmt.Errorf("axis %d of %v", a, s)
	}
	return []int{graph.Shape(s[:a]).Size(), graph.Shape(s[a:]).Size()}, nil
}

func squeezed(c *call, s []int) ([]int, error) {
	list, err := c.setting("axes", 1)
	if err == nil {
		list, err = axesOf(list, len(s))
	}
	out := []int{}
	for i, d := range s {
		drop := slices.Contains(list, i) || (len(list) == 0 && d == 1)
		if drop && d != 1 {
			return nil, fmt.Errorf("axis %d of %v has more than one element", i, s)
		}
		if !drop {
			out = append(out, d)
		}
	}
	return out, err
}

func unsqueezed(c *call, s []int) ([]int, error) {
	list, err := c.setting("axes", 1)
	if err == nil {
		list, err = axesOf(list, len(s)+len(list))
	}
	out := slices.Clone(s)
	for _, a := range slices.Sorted(slices.Values(list)) {
		if a > len(out) {
			return nil, fmt.Errorf("axes %v of %v", list, s)
		}
		out = slices.Insert(out, a, 1)
	}
	return out, err
}

func transpose(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	perm := toInts(c.Ints("perm"))
	if len(perm) == 0 {
		perm = identity(len(x.Shape()))
		slices.Reverse(perm)
	}
	return c.g.Transpose(x, perm...), nil
}

// expand broadcasts both ways: a size of 1 in the wanted shape keeps the tensor's.
func expand(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	to, err := c.whole(1)
	if err != nil {
		return nil, err
	}
	s, to := x.Shape(), slices.Clone(to)
	for len(to) < len(s) {
		to = slices.Insert(to, 0, 1)
	}
	for i := range s {
		if j := len(to) - len(s) + i; to[j] == 1 {
			to[j] = s[i]
		}
	}
	return c.g.Expand(x, to...), nil
}

func concat(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	return c.g.Concat(int(c.Int("axis", 1)), in...), nil
}

// gather picks by indices. Of constant ones a run is a slice; others pick rows of the axis brought to the front.
func gather(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	a, err := axis(int(c.Int("axis", 0)), len(s))
	if err != nil {
		return nil, err
	}
	if v, err := c.operand(1); err == nil && v.node != nil && v.node.Type() == graph.Int && a == 0 {
		return c.g.Gather(x, v.node), nil
	}
	picks, err := c.whole(1)
	if err != nil {
		return nil, err
	}
	shape, err := c.shapeOf(1)
	if err != nil {
		return nil, err
	}
	if len(picks) == 0 {
		return nil, errors.New("it picks nothing")
	}
	at, run := make([]float64, len(picks)), true
	for i, k := range picks {
		if k, err = axis(k, s[a]); err != nil {
			return nil, err
		}
		at[i] = float64(k)
		run = run && at[i] == at[0]+float64(i)
	}
	out := slices.Concat(s[:a], shape, s[a+1:])
	if run {
		return c.g.Reshape(c.g.Slice(x, a, int(at[0]), int(at[0])+len(at)), out...), nil
	}
	return c.g.Reshape(picked(c.g, x, a, at), out...), nil
}

// picked takes elements of one axis in any order, as rows of the axis brought to the front.
func picked(g *graph.Graph, x *graph.Node, a int, at []float64) *graph.Node {
	front := append([]int{a}, slices.Delete(identity(len(x.Shape())), a, a+1)...)
	back := make([]int, len(front))
	for i, p := range front {
		back[p] = i
	}
	return g.Transpose(g.Gather(g.Transpose(x, front...), g.ConstantIndices(at, len(at))), back...)
}

// split cuts an axis into parts: of given sizes, or equal ones of which the last may be smaller.
func split(c *call) ([]*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	a, err := axis(int(c.Int("axis", 0)), len(x.Shape()))
	if err != nil {
		return nil, err
	}
	sizes, err := c.setting("split", 1)
	if err != nil {
		return nil, err
	}
	if sizes == nil {
		n := len(c.Outputs)
		for left := x.Dim(a); left > 0; left -= sizes[len(sizes)-1] {
			sizes = append(sizes, min(left, (x.Dim(a)+n-1)/n))
		}
	}
	var out []*graph.Node
	at := 0
	for _, n := range sizes {
		out = append(out, c.g.Slice(x, a, at, at+n))
		at += n
	}
	if at != x.Dim(a) || len(out) < len(c.Outputs) {
		return nil, fmt.Errorf("parts %v of axis %d of %v for %d outputs", sizes, a, x.Shape(), len(c.Outputs))
	}
	return out, nil
}
