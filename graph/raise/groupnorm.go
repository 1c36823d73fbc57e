package raise

import (
	"fmt"
	"slices"

	"graft/graph"
)

func init() {
	register("InstanceNormalization", func(c *call) (*graph.Node, error) {
		x, err := c.x(0)
		if err != nil || len(x.Shape()) < 2 {
			return x, err
		}
		return c.groupNorm(x, x.Dim(1))
	})
	register("GroupNormalization", func(c *call) (*graph.Node, error) {
		x, err := c.x(0)
		if err != nil {
			return nil, err
		}
		return c.groupNorm(x, int(c.Int("num_groups", 0)))
	})
}

// groupNorm normalises runs of so many channels of each image by themselves, then scales and shifts each channel, or before
// operator set 21 each run.
func (c *call) groupNorm(x *graph.Node, groups int) (*graph.Node, error) {
	s := x.Shape()
	if len(s) < 3 || groups < 1 || s[1]%groups != 0 {
		return nil, fmt.Errorf("%d groups of the channels of %v", groups, s)
	}
	size := s.Size() / s[0] / groups
	one, zero := filled(c.g, size, 1), filled(c.g, size, 0)
	y := c.g.Reshape(c.g.LayerNorm(c.g.Reshape(x, s[0], groups, size), one, zero, c.Float("epsilon", 1e-5)), s...)
	perChannel := slices.Repeat([]int{1}, len(s)-1)
	perChannel[0] = s[1]
	var affine [2]*graph.Node
	for i := range affine {
		v, err := c.x(1 + i)
		if err != nil {
			return nil, err
		}
		if v.Shape().Equal(graph.Shape{groups}) && groups < s[1] {
			v = c.g.Expand(c.g.Reshape(v, groups, 1), groups, s[1]/groups)
		}
		affine[i] = c.g.Reshape(v, perChannel...)
	}
	return c.g.Add(c.g.Mul(y, affine[0]), affine[1]), nil
}
