package graph

import (
	"cmp"
	"fmt"
	"math"

	"graft/onnx"
)

// Pooling and its gradients.
const (
	OpMaxPool         Op = "MaxPool"
	OpMaxPoolGrad     Op = "MaxPoolGrad"
	OpAveragePool     Op = "AveragePool"
	OpAveragePoolGrad Op = "AveragePoolGrad"
)

// PoolAttrs says how a window moves over images, each for height and width. Every place must cover an element of the image.
type PoolAttrs struct {
	Kernel               [2]int // the window
	Stride               [2]int // 0 means the window's size
	Pad, Extra, Dilation [2]int // as in [ConvAttrs]
}

// AveragePoolGradAttrs adds the height and width of the pooled input.
type AveragePoolGradAttrs struct {
	PoolAttrs
	Input [2]int
}

// Pool2 is the common window of n×n without overlap or padding.
func Pool2(n int) PoolAttrs { return PoolAttrs{Kernel: [2]int{n, n}} }

// MaxPool takes the largest value of each window of x [N,C,H,W]; padding never wins. The gradient goes to the first of
// equal maxima in row order.
func (g *Graph) MaxPool(x *Node, a PoolAttrs) *Node { return g.apply(OpMaxPool, a.normal(), x) }

// AveragePool averages each window of x [N,C,H,W]; padding counts as zeros (PyTorch's default).
func (g *Graph) AveragePool(x *Node, a PoolAttrs) *Node { return g.apply(OpAveragePool, a.normal(), x) }

func (a PoolAttrs) normal() PoolAttrs {
	for i := range a.Stride {
		a.Stride[i], a.Dilation[i] = cmp.Or(a.Stride[i], a.Kernel[i]), cmp.Or(a.Dilation[i], 1)
	}
	return a
}

// Window is the movement alone: that of a convolution of every channel by itself.
func (a PoolAttrs) Window() ConvAttrs { return ConvAttrs{a.Stride, a.Pad, a.Extra, a.Dilation, 1} }

func (a PoolAttrs) output(s Shape) (Shape, error) {
	w := a.Window()
	oh, ow, err := w.output(s[2], s[3], a.Kernel[0], a.Kernel[1])
	for axis, places := range [2]int{oh, ow} {
		for i := range places {
			if err == nil && !w.covers(axis, i, s[2+axis], a.Kernel[axis]) {
				err = fmt.Errorf("place %d of the window %v along axis %d, with padding %v and %v more behind, covers no element of %v", i, a.Kernel, 2+axis, a.Pad, a.Extra, s)
			}
		}
	}
	return Shape{s[0], s[1], oh, ow}, err
}

func poolShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "input"); err != nil {
		return nil, 0, err
	}
	s, err := attrs.(PoolAttrs).output(in[0].shape)
	return s, Float, err
}

func maxPoolGradShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "input", "output's gradient"); err != nil {
		return nil, 0, err
	}
	s, err := attrs.(PoolAttrs).output(in[0].shape)
	if err == nil && !s.Equal(in[1].shape) {
		err = fmt.Errorf("output's gradient: wanted %v, got %v", s, in[1].shape)
	}
	return in[0].shape, Float, err
}

func averagePoolGradShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "output's gradient"); err != nil {
		return nil, 0, err
	}
	a, dy := attrs.(AveragePoolGradAttrs), in[0].shape
	x := Shape{dy[0], dy[1], a.Input[0], a.Input[1]}
	s, err := a.output(x)
	if err == nil && !s.Equal(dy) {
		err = fmt.Errorf("output's gradient: wanted %v, got %v", s, dy)
	}
	return x, Float, err
}

// eachPlace visits every pair of a window's output and an input element inside it, windows and elements in row order.
func eachPlace(x, y Shape, a PoolAttrs, f func(ix, iy int)) {
	// A channel's window is the kernel of a convolution of its plane alone.
	planes := func(s Shape) Shape { return Shape{s[0] * s[1], 1, s[2], s[3]} }
	eachProduct(planes(x), Shape{1, 1, a.Kernel[0], a.Kernel[1]}, planes(y), a.Window(),
		func(ix, _, iy int) { f(ix, iy) })
}

// firstMaxima gives, for every window, the index of its first maximum in row order.
func firstMaxima(x []float64, xs, ys Shape, a PoolAttrs) []int {
	at := make([]int, ys.Size())
	for i := range at {
		at[i] = -1
	}
	eachPlace(xs, ys, a, func(ix, iy int) {
		if at[iy] < 0 || x[ix] > x[at[iy]] || math.IsNaN(x[ix]) {
			at[iy] = ix
		}
	})
	return at
}

func maxPoolNaive(n *Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.shape.Size())
	for iy, ix := range firstMaxima(in[0], n.in[0].shape, n.shape, n.attrs.(PoolAttrs)) {
		out[iy] = in[0][ix]
	}
	return out, nil
}

func maxPoolGradNaive(n *Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.shape.Size())
	for iy, ix := range firstMaxima(in[0], n.shape, n.in[1].shape, n.attrs.(PoolAttrs)) {
		out[ix] += in[1][iy]
	}
	return out, nil
}

func averagePoolNaive(n *Node, in [][]float64) ([]float64, error) {
	a := n.attrs.(PoolAttrs)
	out, size := make([]float64, n.shape.Size()), float64(a.Kernel[0]*a.Kernel[1])
	eachPlace(n.in[0].shape, n.shape, a, func(ix, iy int) { out[iy] += in[0][ix] / size })
	return out, nil
}

func averagePoolGradNaive(n *Node, in [][]float64) ([]float64, error) {
	a := n.attrs.(AveragePoolGradAttrs).PoolAttrs
	out, size := make([]float64, n.shape.Size()), float64(a.Kernel[0]*a.Kernel[1])
	eachPlace(n.shape, n.in[0].shape, a, func(ix, iy int) { out[ix] += in[0][iy] / size })
	return out, nil
}

func writePool(more ...onnx.Attr) func(w *Writer, n *Node) string {
	return func(w *Writer, n *Node) string {
		a := n.attrs.(PoolAttrs)
		return w.operator(n, append(a.Window().operator(a.Kernel[:]), more...)...)
	}
}

func init() {
	register(OpMaxPool, row{min: 1, max: 1, shape: poolShape, naive: maxPoolNaive, batch: batchFirstOperand, write: writePool(),
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.apply(OpMaxPoolGrad, n.attrs, n.in[0], dy)}
		},
		fixtures: []string{"max_pool", "max_pool_uneven"}})
	// No rule: the second derivative of a max-pooled loss is not needed in training.
	register(OpMaxPoolGrad, row{min: 2, max: 2, shape: maxPoolGradShape, naive: maxPoolGradNaive, fixtures: []string{"max_pool_overlap"}})
	register(OpAveragePool, row{min: 1, max: 1, shape: poolShape, naive: averagePoolNaive, batch: batchFirstOperand,
		grad: func(g *Graph, n, dy *Node) []*Node {
			s := n.in[0].shape
			return []*Node{g.apply(OpAveragePoolGrad, AveragePoolGradAttrs{n.attrs.(PoolAttrs), [2]int{s[2], s[3]}}, dy)}
		},
		write:    writePool(attr("count_include_pad", int64(1))), // padding counts as zeros
		fixtures: []string{"average_pool", "average_pool_uneven"}})
	register(OpAveragePoolGrad, row{min: 1, max: 1, shape: averagePoolGradShape, naive: averagePoolGradNaive,
		grad: func(g *Graph, n, dx *Node) []*Node {
			return []*Node{g.AveragePool(dx, n.attrs.(AveragePoolGradAttrs).PoolAttrs)}
		},
		fixtures: []string{"average_pool_overlap"}})
}
