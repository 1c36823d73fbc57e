package raise

import (
	"fmt"

	"graft/graph"
)

func init() {
	register("MatMul", matMul)
	register("Gemm", gemm)
	register("Conv", conv)
	register("ConvTranspose", convTranspose)
}

// matMul gives vectors the axis that they lack as matrices, and takes it back.
func matMul(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	if y, err := c.wholeProduct(a, b); y != nil || err != nil {
		return y, err
	}
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
	w.Groups = int(c.Int("group", 1))
	var bias *graph.Node
	if len(in) == 3 {
		bias = in[2]
	}
	return c.g.Conv(in[0], in[1], bias, w.ConvAttrs), nil
}

// convTranspose is the gradient of a convolution's input, which is where its name comes from. Each axis is
// stride·(n-1) + (kernel-1)·dilation + 1 - padding + output_padding long.
func convTranspose(c *call) (*graph.Node, error) {
	in, err := c.all()
	if err != nil {
		return nil, err
	}
	if auto := c.Str("auto_pad", "NOTSET"); auto != "NOTSET" || c.Ints("output_shape") != nil {
		return nil, fmt.Errorf("auto_pad %s, output_shape %v: want the padding written out", auto, c.Ints("output_shape"))
	}
	w, err := c.window(in[1].Shape()[2:], in[0].Shape())
	if err != nil {
		return nil, err
	}
	w.Groups = int(c.Int("group", 1))
	more := [2]int{}
	if v := c.Ints("output_padding"); len(v) == 2 {
		more = [2]int(toInts(v))
	}
	var size [2]int
	for i := range size {
		size[i] = w.Stride[i]*(in[0].Dim(2+i)-1) + (w.kernel[i]-1)*w.Dilation[i] + 1 - 2*w.Pad[i] - w.Extra[i] + more[i]
	}
	y := c.g.ConvInputGrad(in[0], in[1], w.ConvAttrs, size[0], size[1])
	if len(in) == 3 {
		y = c.g.Add(y, c.g.Reshape(in[2], -1, 1, 1))
	}
	return y, nil
}
