package raise

import (
	"fmt"
	"slices"

	"graft/graph"
)

func init() {
	register("DepthToSpace", depthToSpace)
	register("SpaceToDepth", spaceToDepth)
	register("Tile", tile)
}

// blocks is the side of the squares that channels become or come from.
func (c *call) blocks() (x *graph.Node, b int, err error) {
	x, err = c.x(0)
	if err != nil {
		return nil, 0, err
	}
	b = int(c.Int("blocksize", 0))
	if len(x.Shape()) != 4 || b < 1 {
		return nil, 0, fmt.Errorf("blocks of %d of %v: want images", b, x.Shape())
	}
	return x, b, nil
}

func depthToSpace(c *call) (*graph.Node, error) {
	x, b, err := c.blocks()
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	if s[1]%(b*b) != 0 {
		return nil, fmt.Errorf("%d channels do not make blocks of %d", s[1], b)
	}
	cut, perm := []int{s[0], b, b, s[1] / b / b, s[2], s[3]}, []int{0, 3, 4, 1, 5, 2}
	if c.Str("mode", "DCR") == "CRD" {
		cut, perm = []int{s[0], s[1] / b / b, b, b, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3}
	}
	return c.g.Reshape(c.g.Transpose(c.g.Reshape(x, cut...), perm...), s[0], s[1]/b/b, s[2]*b, s[3]*b), nil
}

func spaceToDepth(c *call) (*graph.Node, error) {
	x, b, err := c.blocks()
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	if s[2]%b != 0 || s[3]%b != 0 {
		return nil, fmt.Errorf("%v does not make blocks of %d", s, b)
	}
	cut := c.g.Reshape(x, s[0], s[1], s[2]/b, b, s[3]/b, b)
	return c.g.Reshape(c.g.Transpose(cut, 0, 3, 5, 1, 2, 4), s[0], s[1]*b*b, s[2]/b, s[3]/b), nil
}

// tile repeats x along its axes: each gets one before it, along which it is expanded.
func tile(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	times, err := c.whole(1)
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	if len(times) != len(s) {
		return nil, fmt.Errorf("%v repetitions of %v", times, s)
	}
	for a, n := range times {
		if n == 1 {
			continue
		}
		if n < 1 {
			return nil, fmt.Errorf("%d repetitions along axis %d", n, a)
		}
		one, many, out := slices.Insert(slices.Clone(x.Shape()), a, 1), slices.Insert(slices.Clone(x.Shape()), a, n), slices.Clone(x.Shape())
		out[a] *= n
		x = c.g.Reshape(c.g.Expand(c.g.Reshape(x, one...), many...), out...)
	}
	return x, nil
}
