package raise

import (
	"fmt"

	"graft/graph"
)

func init() {
	register("MatMul", matMul)
	register("Gemm", gemm)
	register("Conv", conv)
}

// matMul gives vectors the axis that they lack as matrices, and takes it back.
func matMul(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	row, column := len(a.Shape()) == 1, len(b.Shape()) == 1
	if row {
		a = c.g.Reshape(a, 1, -1)
	}
	if column {
		b = c.g.Reshape(b, -1, 1)
	}
	y := c.g.MatMul(a, b)
	if !row && !column {
		return y, nil
	}
	var shape []int
	for i, d := range y.Shape() {
		if fromEnd := len(y.Shape()) - i; (fromEnd == 2 && row) || (fromEnd == 1 && column) {
			continue
		}
		shape = append(shape, d)
	}
	return c.g.Reshape(y, shape...), nil
}

// gemm is α·A'B' + β·C.
func gemm(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	y := c.g.MatMulT(in[0], in[1], c.Int("transA", 0) == 1, c.Int("transB", 0) == 1)
	y = scaled(c.g, y, c.Float("alpha", 1))
	if len(in) == 3 {
		y = c.g.Add(y, scaled(c.g, in[2], c.Float("beta", 1)))
	}
	return y, nil
}

func scaled(g *graph.Graph, x *graph.Node, by float64) *graph.Node {
	if by == 1 {
		return x
	}
	return g.Scale(x, by)
}

func conv(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	w, err := c.window(in[1].Shape()[2:], in[0].Shape())
	if err != nil {
		return nil, err
	}
	if groups := c.Int("group", 1); groups != 1 {
		return nil, fmt.Errorf("%d groups: want 1", groups)
	}
	var bias *graph.Node
	if len(in) == 3 {
		bias = in[2]
	}
	return c.g.Conv(in[0], in[1], bias, graph.ConvAttrs{Stride: w.stride, Pad: w.pad}), nil
}

// window is what convolutions and pools have in common.
type window struct{ kernel, stride, pad [2]int }

// window reads a node's attributes for images of shape [N,C,H,W].
func (c *call) window(kernel, images []int) (w window, err error) {
	if k := c.Ints("kernel_shape"); k != nil {
		kernel = toInts(k)
	}
	if len(kernel) != 2 || len(images) != 4 {
		return w, fmt.Errorf("a window %v over %v: want two axes, height and width", kernel, images)
	}
	w.kernel, w.stride = [2]int(kernel), [2]int{1, 1}
	if s := c.Ints("strides"); len(s) == 2 {
		w.stride = [2]int(toInts(s))
	}
	for _, d := range c.Ints("dilations") {
		if d != 1 {
			return w, fmt.Errorf("dilations %v: want 1", c.Ints("dilations"))
		}
	}
	pads := [4]int{}
	if p := c.Ints("pads"); len(p) == 4 {
		pads = [4]int(toInts(p))
	}
	switch auto := c.Str("auto_pad", "NOTSET"); auto {
	case "NOTSET":
	case "VALID":
		pads = [4]int{}
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			size := images[2+i]
			total := max(0, ((size+w.stride[i]-1)/w.stride[i]-1)*w.stride[i]+w.kernel[i]-size)
			less, more := total/2, total-total/2
			if auto == "SAME_LOWER" {
				less, more = more, less
			}
			pads[i], pads[2+i] = less, more
		}
	default:
		return w, fmt.Errorf("auto_pad %q", auto)
	}
	if pads[0] != pads[2] || pads[1] != pads[3] {
		return w, fmt.Errorf("padding %v: want as much on both sides", pads)
	}
	w.pad = [2]int{pads[0], pads[1]}
	return w, nil
}
