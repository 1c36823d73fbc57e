package graph

import (
	"errors"
	"fmt"
)

// Convolution and its two gradients, which are operations of their own.
const (
	OpConv           Op = "Conv"
	OpConvInputGrad  Op = "ConvInputGrad"
	OpConvWeightGrad Op = "ConvWeightGrad"
)

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

// Conv cross-correlates x [N,C,H,W] with w [O,C/groups,kh,kw] and adds bias [O], which may be nil: the result is
// [N,O,oh,ow], with as many places as fit into the image and its padding. Of several groups each reads its own C/groups
// channels and makes its own O/groups.
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

// ConvWeightGrad is the gradient of a convolution's kernel [O,C/groups,kh,kw] from its input and its output's gradient.
func (g *Graph) ConvWeightGrad(x, dy *Node, a ConvAttrs, kh, kw int) *Node {
	return g.apply(OpConvWeightGrad, ConvWeightGradAttrs{a.normal(), [2]int{kh, kw}}, x, dy)
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
	x, w, a := in[0].shape, in[1].shape, attrs.(ConvAttrs)
	if x[1] != w[1]*a.Groups {
		return nil, 0, fmt.Errorf("wanted %d input channels, as the kernel has, in %d groups, got %d", w[1]*a.Groups, a.Groups, x[1])
	}
	if len(in) == 3 && !in[2].shape.Equal(Shape{w[0]}) {
		return nil, 0, fmt.Errorf("bias: wanted shape [%d], got %v", w[0], in[2].shape)
	}
	oh, ow, err := a.output(x[2], x[3], w[2], w[3])
	if err == nil {
		err = a.grouped(w[0])
	}
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
	if err == nil {
		err = a.grouped(w[0])
	}
	return Shape{dy[0], w[1] * a.Groups, a.Input[0], a.Input[1]}, Float, err
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
	if err == nil {
		err = errors.Join(a.grouped(x[1]), a.grouped(dy[1]))
	}
	return Shape{dy[1], x[1] / max(a.Groups, 1), a.Kernel[0], a.Kernel[1]}, Float, err
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
			return w.operator(n, n.attrs.(ConvAttrs).operator(n.in[1].shape[2:])...)
		},
		fixtures: []string{"conv", "conv_stride_pad", "conv_point", "conv_blocks", "conv_groups", "conv_depthwise", "conv_dilated", "conv_many_groups"}})
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
