package graph

import "fmt"

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
		if a.Stride[i] == 0 {
			a.Stride[i] = 1
		}
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
		if err := wantRank(in[i], w, 4); err != nil {
			return err
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

// The three operations are linear in both operands, so each one's gradients are the other two.
func init() {
	register(OpConv, spec{onnx: "Conv", min: 2, max: 3, shape: convShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			x, w, a := n.in[0], n.in[1], n.attrs.(ConvAttrs)
			out := []*Node{g.ConvInputGrad(dy, w, a, x.shape[2], x.shape[3]), g.ConvWeightGrad(x, dy, a, w.shape[2], w.shape[3])}
			if len(n.in) == 3 {
				out = append(out, g.Sum(dy, 0, 2, 3))
			}
			return out
		}})
	register(OpConvInputGrad, spec{onnx: "ConvTranspose", min: 2, max: 2, shape: convInputGradShape,
		grad: func(g *Graph, n, dx *Node) []*Node {
			dy, w, a := n.in[0], n.in[1], n.attrs.(ConvInputGradAttrs).ConvAttrs
			return []*Node{g.Conv(dx, w, nil, a), g.ConvWeightGrad(dx, dy, a, w.shape[2], w.shape[3])}
		}})
	// As ONNX: Conv of the input, channels as batch, with dy as kernel, the strides being its dilations.
	register(OpConvWeightGrad, spec{onnx: "Transpose+Conv+Transpose", min: 2, max: 2, shape: convWeightGradShape,
		grad: func(g *Graph, n, dw *Node) []*Node {
			x, dy, a := n.in[0], n.in[1], n.attrs.(ConvWeightGradAttrs).ConvAttrs
			return []*Node{g.ConvInputGrad(dy, dw, a, x.shape[2], x.shape[3]), g.Conv(x, dw, nil, a)}
		}})
}
