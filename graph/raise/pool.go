package raise

import (
	"fmt"

	"graft/graph"
)

func init() {
	register("GlobalAveragePool", func(c *call) (*graph.Node, error) { return global(c, (*graph.Graph).Mean) })
	register("GlobalMaxPool", func(c *call) (*graph.Node, error) { return global(c, (*graph.Graph).Max) })
	register("MaxPool", maxPool)
	register("AveragePool", averagePool)
}

// global pools each channel's plane to one number.
func global(c *call, f reduction) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	if len(x.Shape()) < 3 {
		return nil, fmt.Errorf("want images, got shape %v", x.Shape())
	}
	over := identity(len(x.Shape()))[2:]
	return c.g.Reshape(f(c.g, x, over...), keptShape(x, over)...), nil
}

// pool reads a pool's operand and window. after is the padding behind the image that the node tells: with ceil_mode windows
// may reach further.
func (c *call) pool() (x *graph.Node, w window, after [2]int, err error) {
	if x, err = c.x(0); err != nil {
		return nil, w, after, err
	}
	if w, err = c.window(nil, x.Shape()); err != nil {
		return nil, w, after, err
	}
	for i := range after {
		after[i] = w.Pad[i] + w.Extra[i]
		if c.Int("ceil_mode", 0) == 1 {
			w.Extra[i] += w.ceil(i, x.Dim(2+i), after[i])
		}
	}
	return x, w, after, nil
}

// ceil is the padding that one more place needs, which begins inside of the image or the padding before it.
func (w *window) ceil(axis, size, after int) int {
	covers := (w.kernel[axis]-1)*w.Dilation[axis] + 1
	total := size + w.Pad[axis] + after
	left := (total - covers) % w.Stride[axis] // elements that no place reaches
	start := total - covers - left + w.Stride[axis]
	if left == 0 || start >= size+w.Pad[axis] {
		return 0
	}
	return w.Stride[axis] - left
}

func (w *window) attrs() graph.PoolAttrs {
	return graph.PoolAttrs{Kernel: w.kernel, Stride: w.Stride, Pad: w.Pad, Extra: w.Extra, Dilation: w.Dilation}
}

func maxPool(c *call) (*graph.Node, error) {
	x, w, _, err := c.pool()
	if err != nil {
		return nil, err
	}
	return c.g.MaxPool(x, w.attrs()), nil
}

// averagePool divides by as many elements as a window has in the image, or in the image and the padding that is told.
// The operation divides by all of the window's: a constant plane corrects it at the borders.
func averagePool(c *call) (*graph.Node, error) {
	x, w, after, err := c.pool()
	if err != nil {
		return nil, err
	}
	y := c.g.AveragePool(x, w.attrs())
	if len(y.Shape()) != 4 {
		return y, nil // the error is the graph's
	}
	before := w.Pad
	if c.Int("count_include_pad", 0) == 0 {
		before, after = [2]int{}, [2]int{}
	}
	var counts [2][]int
	uneven := false
	for i := range counts {
		for place := range y.Dim(2 + i) {
			n := w.counted(i, place, -before[i], x.Dim(2+i)+after[i])
			counts[i] = append(counts[i], n)
			uneven = uneven || n != w.kernel[i]
		}
	}
	if !uneven {
		return y, nil
	}
	var factors []float64
	for _, h := range counts[0] {
		for _, v := range counts[1] {
			factors = append(factors, float64(w.kernel[0]*w.kernel[1])/float64(h*v))
		}
	}
	return c.g.Mul(y, c.g.Constant(factors, 1, 1, y.Dim(2), y.Dim(3))), nil
}

// counted is the number of a place's elements from…to-1 along one axis of the image.
func (w *window) counted(axis, place, from, to int) (n int) {
	for k := range w.kernel[axis] {
		if at := place*w.Stride[axis] + k*w.Dilation[axis] - w.Pad[axis]; at >= from && at < to {
			n++
		}
	}
	return n
}
