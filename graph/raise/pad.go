package raise

import (
	"fmt"
	"slices"

	"graft/graph"
)

func init() { register("Pad", pad) }

// pad puts a number or the operand's own elements around it; less than none are cut off.
func pad(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	before, after, err := c.pads(len(x.Shape()))
	if err != nil {
		return nil, err
	}
	for a := range before {
		if start, end := max(0, -before[a]), x.Dim(a)-max(0, -after[a]); start > 0 || end < x.Dim(a) {
			x = c.g.Slice(x, a, start, end)
		}
		before[a], after[a] = max(0, before[a]), max(0, after[a])
	}
	switch mode := c.Str("mode", "constant"); mode {
	case "constant":
		return c.surrounded(x, before, after)
	case "reflect", "edge", "wrap":
		for a := range before {
			if before[a]+after[a] > 0 {
				x = picked(c.g, x, a, continued(mode, x.Dim(a), before[a], after[a]))
			}
		}
		return x, nil
	default:
		return nil, fmt.Errorf("mode %q: want constant, reflect, edge or wrap", mode)
	}
}

// pads are how much is put before and after each axis.
func (c *call) pads(rank int) (before, after []int, err error) {
	pads, err := c.setting("pads", 1)
	if err != nil {
		return nil, nil, err
	}
	over := identity(rank)
	if c.has(3) {
		if over, err = c.whole(3); err == nil {
			over, err = axesOf(over, rank)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if len(pads) != 2*len(over) {
		return nil, nil, fmt.Errorf("padding %v for axes %v", pads, over)
	}
	before, after = make([]int, rank), make([]int, rank)
	for i, a := range over {
		before[a], after[a] = pads[i], pads[len(over)+i]
	}
	return before, after, nil
}

// surrounded puts one number around x: zeros, in whose place a mask puts others.
func (c *call) surrounded(x *graph.Node, before, after []int) (*graph.Node, error) {
	value := c.Float("value", 0)
	fill, err := c.floats(2)
	if err != nil {
		return nil, err
	}
	if len(fill) == 1 {
		value = fill[0]
	}
	y := c.g.Pad(x, before, after)
	if value == 0 || len(y.Shape()) == 0 {
		return y, nil
	}
	for a, size := range y.Shape() {
		if before[a]+after[a] == 0 {
			continue
		}
		inside := slices.Repeat([]float64{0}, size)
		for i := before[a]; i < size-after[a]; i++ {
			inside[i] = 1
		}
		shape := slices.Repeat([]int{1}, len(y.Shape()))
		shape[a] = size
		y = c.g.Where(c.g.Greater(c.g.Constant(inside, shape...), c.g.Scalar(0.5)), y, c.g.Scalar(value))
	}
	return y, nil
}

// continued lists the elements that stand for those of a padded axis: mirrored at its ends without repeating them, the
// last ones again and again, or from the other end.
func continued(mode string, size, before, after int) []float64 {
	var out []float64
	for i := -before; i < size+after; i++ {
		k := min(max(i, 0), size-1)
		switch {
		case mode == "wrap":
			k = ((i % size) + size) % size
		case mode == "reflect" && size > 1:
			round := 2 * (size - 1)
			k = ((i % round) + round) % round
			k = min(k, round-k)
		}
		out = append(out, float64(k))
	}
	return out
}
