package graph

import (
	"cmp"
	"fmt"

	"graft/onnx"
)

// Convolution and its two gradients, which are operations of their own.
const (
	OpConv           Op = "Conv"
	OpConvInputGrad  Op = "ConvInputGrad"
	OpConvWeightGrad Op = "ConvWeightGrad"
)

// ConvAttrs holds strides (0 means 1) and zero padding on both sides, each for height and width.
type ConvAttrs struct{ Stride, Pad [2]int }

// ConvInputGradAttrs adds the height and width of the convolution's input.
type ConvInputGradAttrs struct {
	ConvAttrs
	Input [2]int
}

// ConvWeightGradAttrs adds the height and width of the kernel.
type ConvWeightGradAttrs struct {
	ConvAttrs
	Kernel [2]int
}

// Conv cross-correlates x [N,C,H,W] with w [O,C,kh,kw] and adds bias [O], which may be nil:
// result [N,O,(H+2·pad-kh)/stride+1,(W+2·pad-kw)/stride+1].
func (g *Graph) Conv(x, w, bias *Node, a ConvAttrs) *Node {
	a = a.normal()
	if bias == nil {
		return g.apply(OpConv, a, x, w)
	}
	return g.apply(OpConv, a, x, w, bias)
}

// ConvInputGrad is the gradient of a convolution's input [N,C,H,W] from that of its output, dy [N,O,oh,ow].
func (g *Graph) ConvInputGrad(dy, w *Node, a ConvAttrs, height, width int) *Node {
	return g.apply(OpConvInputGrad, ConvInputGradAttrs{a.normal(), [2]int{height, width}}, dy, w)
}

// ConvWeightGrad is the gradient of a convolution's kernel [O,C,kh,kw] from its input and its output's gradient.
func (g *Graph) ConvWeightGrad(x, dy *Node, a ConvAttrs, kh, kw int) *Node {
	return g.apply(OpConvWeightGrad, ConvWeightGradAttrs{a.normal(), [2]int{kh, kw}}, x, dy)
}

func (a ConvAttrs) normal() ConvAttrs {
	for i := range a.Stride {
		a.Stride[i] = cmp.Or(a.Stride[i], 1)
	}
	return a
}

// windows is the number of places of a window along one axis.
func windows(size, kernel, stride, pad int) (int, error) {
	if kernel < 1 || stride < 1 || pad < 0 {
		return 0, fmt.Errorf("wanted kernel and stride of at least 1 and no negative padding, got %d, %d, %d", kernel, stride, pad)
	}
	if size+2*pad < kernel {
		return 0, fmt.Errorf("a window of %d does not fit into %d with padding %d", kernel, size, pad)
	}
	return (size+2*pad-kernel)/stride + 1, nil
}

// output is the height and width of the convolution's result.
func (a ConvAttrs) output(h, w, kh, kw int) (oh, ow int, err error) {
	if oh, err = windows(h, kh, a.Stride[0], a.Pad[0]); err != nil {
		return 0, 0, fmt.Errorf("height: %w", err)
	}
	if ow, err = windows(w, kw, a.Stride[1], a.Pad[1]); err != nil {
		return 0, 0, fmt.Errorf("width: %w", err)
	}
	return oh, ow, nil
}

func images(in []*Node, what ...string) error {
	for i, w := range what {
		if s := in[i].shape; len(s) != 4 {
			return fmt.Errorf("%s: wanted rank 4, got shape %v", w, s)
		}
	}
	return wantTypes(in, Float)
}

func convShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "input", "kernel"); err != nil {
		return nil, 0, err
	}
	x, w := in[0].shape, in[1].shape
	if x[1] != w[1] {
		return nil, 0, fmt.Errorf("wanted %d input channels, as the kernel has, got %d", w[1], x[1])
	}
	if len(in) == 3 && !in[2].shape.Equal(Shape{w[0]}) {
		return nil, 0, fmt.Errorf("bias: wanted shape [%d], got %v", w[0], in[2].shape)
	}
	oh, ow, err := attrs.(ConvAttrs).output(x[2], x[3], w[2], w[3])
	return Shape{x[0], w[0], oh, ow}, Float, err
}

func convInputGradShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "output's gradient", "kernel"); err != nil {
		return nil, 0, err
	}
	a, dy, w := attrs.(ConvInputGradAttrs), in[0].shape, in[1].shape
	oh, ow, err := a.output(a.Input[0], a.Input[1], w[2], w[3])
	if err == nil && !dy[1:].Equal(Shape{w[0], oh, ow}) {
		err = fmt.Errorf("output's gradient: wanted %v, got %v", Shape{dy[0], w[0], oh, ow}, dy)
	}
	return Shape{dy[0], w[1], a.Input[0], a.Input[1]}, Float, err
}

func convWeightGradShape(in []*Node, attrs any) (Shape, Type, error) {
	if err := images(in, "input", "output's gradient"); err != nil {
		return nil, 0, err
	}
	a, x, dy := attrs.(ConvWeightGradAttrs), in[0].shape, in[1].shape
	oh, ow, err := a.output(x[2], x[3], a.Kernel[0], a.Kernel[1])
	if err == nil && !dy.Equal(Shape{x[0], dy[1], oh, ow}) {
		err = fmt.Errorf("output's gradient: wanted %v, got %v", Shape{x[0], dy[1], oh, ow}, dy)
	}
	return Shape{dy[1], x[1], a.Kernel[0], a.Kernel[1]}, Float, err
}

// eachProduct visits every multiplication of a convolution by the indices of its input, kernel and output elements.
func eachProduct(x, w, y Shape, a ConvAttrs, f func(ix, iw, iy int)) {
	sx, sw := x.Strides(), w.Strides()
	for iy, p := range y.Indices() {
		for k, q := range w[1:].Indices() {
			h, v := p[2]*a.Stride[0]+q[1]-a.Pad[0], p[3]*a.Stride[1]+q[2]-a.Pad[1]
			if h >= 0 && h < x[2] && v >= 0 && v < x[3] {
				f(Offset(sx, []int{p[0], q[0], h, v}), p[1]*sw[0]+k, iy)
			}
		}
	}
}

func convNaive(n *Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.shape.Size())
	if len(in) == 3 {
		plane := n.shape[2:].Size()
		for i := range out {
			out[i] = in[2][i/plane%n.shape[1]]
		}
	}
	eachProduct(n.in[0].shape, n.in[1].shape, n.shape, n.attrs.(ConvAttrs),
		func(ix, iw, iy int) { out[iy] += in[0][ix] * in[1][iw] })
	return out, nil
}

func convInputGradNaive(n *Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.shape.Size())
	eachProduct(n.shape, n.in[1].shape, n.in[0].shape, n.attrs.(ConvInputGradAttrs).ConvAttrs,
		func(ix, iw, iy int) { out[ix] += in[0][iy] * in[1][iw] })
	return out, nil
}

func convWeightGradNaive(n *Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.shape.Size())
	eachProduct(n.in[0].shape, n.shape, n.in[1].shape, n.attrs.(ConvWeightGradAttrs).ConvAttrs,
		func(ix, iw, iy int) { out[iw] += in[0][ix] * in[1][iy] })
	return out, nil
}

// windowAttrs are ONNX's attributes of a window.
func windowAttrs(kernel []int, stride, pad [2]int) []onnx.Attr {
	h, w := int64(pad[0]), int64(pad[1])
	return []onnx.Attr{attr("kernel_shape", int64s(kernel)), attr("strides", int64s(stride[:])), attr("pads", []int64{h, w, h, w})}
}

// The three operations are linear in both operands, so each one's gradients are the other two.
func init() {
	register(OpConv, row{min: 2, max: 3, shape: convShape, naive: convNaive, batch: batchFirstOperand,
		macs: func(n *Node) int { return n.shape.Size() * n.in[1].shape[1:].Size() },
		grad: func(g *Graph, n, dy *Node) []*Node {
			x, w, a := n.in[0], n.in[1], n.attrs.(ConvAttrs)
			out := []*Node{g.ConvInputGrad(dy, w, a, x.shape[2], x.shape[3]), g.ConvWeightGrad(x, dy, a, w.shape[2], w.shape[3])}
			if len(n.in) == 3 {
				out = append(out, g.Sum(dy, 0, 2, 3))
			}
			return out
		},
		write: func(w *Writer, n *Node) string {
			a := n.attrs.(ConvAttrs)
			return w.operator(n, windowAttrs(n.in[1].shape[2:], a.Stride, a.Pad)...)
		},
		fixtures: []string{"conv", "conv_stride_pad", "conv_point", "conv_blocks"}})
	register(OpConvInputGrad, row{min: 2, max: 2, shape: convInputGradShape, naive: convInputGradNaive,
		macs: func(n *Node) int { return n.in[0].shape.Size() * n.in[1].shape[1:].Size() },
		grad: func(g *Graph, n, dx *Node) []*Node {
			dy, w, a := n.in[0], n.in[1], n.attrs.(ConvInputGradAttrs).ConvAttrs
			return []*Node{g.Conv(dx, w, nil, a), g.ConvWeightGrad(dx, dy, a, w.shape[2], w.shape[3])}
		},
		fixtures: []string{"conv_input_grad"}})
	register(OpConvWeightGrad, row{min: 2, max: 2, shape: convWeightGradShape, naive: convWeightGradNaive,
		macs: func(n *Node) int { return n.in[1].shape.Size() * n.shape[1:].Size() },
		grad: func(g *Graph, n, dw *Node) []*Node {
			x, dy, a := n.in[0], n.in[1], n.attrs.(ConvWeightGradAttrs).ConvAttrs
			return []*Node{g.ConvInputGrad(dy, dw, a, x.shape[2], x.shape[3]), g.Conv(x, dw, nil, a)}
		},
		fixtures: []string{"conv_weight_grad"}})
}
