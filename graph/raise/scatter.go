package raise

import (
	"fmt"
	"slices"

	"graft/graph"
)

func init() { folds["ScatterND"] = foldScatterND }

// foldScatterND writes slices into a constant, as masks of windows are made: each row of the indices [...,k] says where a
// slice of the updates goes along the first k axes.
func foldScatterND(c *call) (*value, error) {
	data, err := c.floats(0)
	if err != nil {
		return nil, err
	}
	at, err := c.whole(1)
	if err != nil {
		return nil, err
	}
	updates, err := c.floats(2)
	if err != nil {
		return nil, err
	}
	shape, err := c.shapeOf(0)
	if err != nil {
		return nil, err
	}
	rows, err := c.shapeOf(1)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || rows[len(rows)-1] > len(shape) || c.Str("reduction", "none") != "none" {
		return nil, fmt.Errorf("indices %v into %v, reduction %q: want none, and at most as many indices as axes", rows, shape, c.Str("reduction", "none"))
	}
	k := rows[len(rows)-1]
	strides, size := graph.Shape(shape).Strides(), graph.Shape(shape[k:]).Size()
	if len(updates)*k != len(at)*size {
		return nil, fmt.Errorf("%d updates for indices %v into %v", len(updates), rows, shape)
	}
	out := slices.Clone(data)
	for i := 0; i*size < len(updates); i++ {
		to := 0
		for j, index := range at[i*k : (i+1)*k] {
			if index, err = axis(index, shape[j]); err != nil {
				return nil, err
			}
			to += index * strides[j]
		}
		copy(out[to:to+size], updates[i*size:])
	}
	first, err := c.operand(0)
	return &value{fixed: &fixed{shape, out}, typ: first.typ}, err
}
