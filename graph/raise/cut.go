package raise

import (
	"errors"
	"fmt"
	"slices"

	"graft/graph"
)

func init() { register("Slice", slice) }

// cut is what is taken along one axis.
type cut struct{ start, end, step int }

func (k cut) indices() (out []int) {
	for i := k.start; (k.step > 0 && i < k.end) || (k.step < 0 && i > k.end); i += k.step {
		out = append(out, i)
	}
	return out
}

// cuts are what Slice takes of each axis, as ONNX clamps it.
func (c *call) cuts(s []int) ([]cut, error) {
	var list [4][]int
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		var err error
		if list[i], err = c.setting(name, i+1); err != nil {
			return nil, err
		}
	}
	starts, ends, over, steps := list[0], list[1], list[2], list[3]
	if over == nil {
		over = identity(len(starts))
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(over) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v, steps %v: want equally many", starts, ends, over, steps)
	}
	out := make([]cut, len(s))
	for i, d := range s {
		out[i] = cut{0, d, 1}
	}
	for i, a := range over {
		a, err := axis(a, len(s))
		if err != nil {
			return nil, err
		}
		n := s[a]
		switch {
		case steps[i] > 0:
			out[a] = cut{bound(starts[i], n), bound(ends[i], n), steps[i]}
		case steps[i] < 0:
			out[a] = cut{downward(starts[i], n), downward(ends[i], n), steps[i]}
		default:
			return nil, errors.New("a step of 0")
		}
	}
	return out, nil
}

// downward is an end of a slice that is taken backwards: -1 is before the first element.
func downward(i, n int) int {
	if i < 0 {
		i += n
	}
	return min(max(i, -1), n-1)
}

func slice(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	cuts, err := c.cuts(x.Shape())
	if err != nil {
		return nil, err
	}
	for a, k := range cuts {
		at := widen(k.indices())
		switch {
		case len(at) == 0:
			return nil, fmt.Errorf("it takes nothing of axis %d of %v", a, x.Shape())
		case k.step == 1 && len(at) < x.Dim(a):
			x = c.g.Slice(x, a, k.start, k.end)
		case k.step > 1:
			x = every(c.g, x, a, k.start, k.step, len(at))
		case k.step < 0:
			x = picked(c.g, x, a, at)
		}
	}
	return x, nil
}

// every takes n elements of an axis, a step apart, as the first column of rows as long as the step.
func every(g *graph.Graph, x *graph.Node, a, start, step, n int) *graph.Node {
	x = g.Slice(x, a, start, min(start+n*step, x.Dim(a)))
	if missing := n*step - x.Dim(a); missing > 0 {
		after := make([]int, len(x.Shape()))
		after[a] = missing
		x = g.Pad(x, make([]int, len(after)), after)
	}
	rows, out := slices.Clone(x.Shape()), slices.Clone(x.Shape())
	rows[a], out[a] = step, n
	return g.Reshape(g.Slice(g.Reshape(x, slices.Insert(rows, a, n)...), a+1, 0, 1), out...)
}
