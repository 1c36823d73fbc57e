package raise

import (
	"errors"
	"fmt"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// Quantised values are whole numbers in real ones. Products of activations and weights of 8 bits are products of their whole
// numbers, scaled afterwards, and do not saturate, as ONNX Runtime's 8-bit sums do on some processors.
func init() {
	register("QuantizeLinear", quantize)
	register("DequantizeLinear", dequantize)
	rules["DynamicQuantizeLinear"] = dynamicQuantize
	register("MatMulInteger", matMulInteger)
	folds["DequantizeLinear"] = dequantizedWeight
}

// steps are the scale and zero point of a quantisation, for the operand's rank: of one number, or along an axis.
func (c *call) steps(rank int) (scale, zero *graph.Node, err error) {
	if c.Int("block_size", 0) != 0 {
		return nil, nil, errors.New("scales of blocks: want one, or one for each index of an axis")
	}
	along := func(i int) (*graph.Node, error) {
		x, err := c.state(i)
		if err != nil || len(x.Shape()) == 0 {
			return x, err
		}
		a, err := axis(int(c.Int("axis", 1)), rank)
		if err != nil {
			return nil, err
		}
		shape := slices.Repeat([]int{1}, rank)
		if n := x.Shape().Size(); n > 1 {
			shape[a] = n
		}
		return c.g.Reshape(x, shape...), nil
	}
	if scale, err = along(1); err != nil || !c.has(2) {
		return scale, c.g.Scalar(0), err
	}
	zero, err = along(2)
	return scale, zero, err
}

// bounds are the smallest and largest number of a type of 8 bits.
func bounds(t onnx.DType) (lo, hi float64, err error) {
	switch t {
	case onnx.Uint8:
		return 0, 255, nil
	case onnx.Int8:
		return -128, 127, nil
	}
	return 0, 0, fmt.Errorf("quantised to %v: want uint8 or int8", t)
}

// quantize rounds to multiples of the scale.
func quantize(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	t := onnx.Uint8
	if c.has(2) {
		v, err := c.operand(2)
		if err != nil {
			return nil, err
		}
		t = v.typ
	}
	lo, hi, err := bounds(t)
	if err != nil {
		return nil, err
	}
	scale, zero, err := c.steps(len(x.Shape()))
	if err != nil {
		return nil, err
	}
	steps := c.g.Round(c.g.Div(x, scale))
	y := c.g.Clip(c.g.Add(steps, zero), lo, hi)
	if z, ok := scalar(zero); ok {
		c.wholes[y] = whole{ints: c.g.Clip(steps, lo-z, hi-z), zero: z} // less the zero point
	}
	return y, nil
}

func dequantize(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	scale, zero, err := c.steps(len(x.Shape()))
	if err != nil {
		return nil, err
	}
	of, quantised := c.wholes[x]
	step, one := scalar(scale)
	z, same := scalar(zero)
	if !quantised || !one || !same || z != of.zero {
		return c.g.Mul(c.g.Sub(x, zero), scale), nil
	}
	y := c.g.Mul(of.ints, scale)
	c.wholes[y] = whole{ints: of.ints, scale: []float64{step}}
	return y, nil
}

// whole is a tensor as whole numbers of at most 255, either sign, and what they are multiplied by: one number, or one for
// each column.
type whole struct {
	ints   *graph.Node
	zero   float64 // which ints is less than what is quantised
	weight string  // of an initialiser, instead
	scale  []float64
}

// wholeProduct is the product of a quantised activation and a quantised weight, nil of others.
func (c *call) wholeProduct(a, b *graph.Node) (*graph.Node, error) {
	x, w := c.wholes[a], c.wholes[b]
	if x.scale == nil || w.weight == "" || len(x.ints.Shape()) < 2 {
		return nil, nil
	}
	ints, err := c.node(w.weight)
	if err != nil {
		return nil, err
	}
	scale := make([]float64, len(w.scale))
	for i, s := range w.scale {
		scale[i] = s * x.scale[0]
	}
	return c.g.Mul(c.g.MatMulAs(x.ints, ints, graph.MatMulAttrs{Whole: true}), c.g.Constant(scale, len(scale))), nil
}

// dequantizedWeight is a weight in 8 bits as a parameter that does not learn, which is widened when it is read; nil where
// the operand is no such weight.
func dequantizedWeight(c *call) (*value, error) {
	t, ok := c.index.Weights[c.Inputs[0]]
	if !ok || !narrow(t) {
		return nil, nil
	}
	scale, err := c.constants(1)
	if err != nil {
		return nil, err
	}
	zero, err := c.constants(2)
	if err != nil {
		return nil, err
	}
	if zero == nil {
		zero = []float64{0}
	}
	period := 1 // elements that share a scale
	if len(scale) > 1 {
		a, err := axis(int(c.Int("axis", 1)), len(t.Dims))
		if err != nil || int64(len(scale)) != t.Dims[a] || c.Int("block_size", 0) != 0 {
			return nil, fmt.Errorf("%d scales for a weight of shape %v: want one, or one for each index of an axis", len(scale), t.Dims)
		}
		n, _ := onnx.Elements(t.Dims[a+1:])
		period = int(n)
	}
	v, err := c.parameter(c.Outputs[0], t.Dims, func() ([]float32, error) {
		v, err := t.Int64s()
		out := make([]float32, len(v))
		for i, x := range v {
			k := i / period
			out[i] = float32(float64(x)-zero[k%len(zero)]) * float32(scale[k%len(scale)])
		}
		return out, err
	}, false)
	byColumns := len(scale) == 1 || len(t.Dims) == 2 && int64(len(scale)) == t.Dims[1] && period == 1
	if err == nil && len(t.Dims) == 2 && byColumns && !slices.ContainsFunc(zero, func(z float64) bool { return z != 0 }) {
		c.wholes[v.node] = whole{weight: t.Name, scale: scale}
	}
	return v, err
}

// constants are an operand's numbers as floats gives them, of a weight without making it a parameter.
func (c *call) constants(i int) ([]float64, error) {
	if !c.has(i) {
		return nil, nil
	}
	if t, ok := c.index.Weights[c.Inputs[i]]; ok {
		return numbers(t)
	}
	return c.floats(i)
}

// narrow tells weights of 8 bits, which are widened when they are read.
func narrow(t onnx.Tensor) bool {
	return (t.Type == onnx.Int8 || t.Type == onnx.Uint8) && len(t.Dims) > 1
}

// widened are the whole numbers of a weight of 8 bits.
func widened(t onnx.Tensor) ([]float32, error) {
	v, err := t.Int64s()
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out, err
}

// dynamicQuantize finds one scale for all of a tensor, from its range and 0: the numbers, the scale and the zero point.
func dynamicQuantize(c *call) ([]*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	g := c.g
	high := g.Maximum(g.Max(x), g.Scalar(0))
	low := g.Minimum(least((*graph.Graph).Max)(g, x), g.Scalar(0))
	scale := g.Div(g.Sub(high, low), g.Scalar(255))
	zero := g.Round(g.Clip(g.Div(g.Neg(low), scale), 0, 255))
	return []*graph.Node{g.Clip(g.Add(g.Round(g.Div(x, scale)), zero), 0, 255), scale, zero}, nil
}

// matMulInteger multiplies whole numbers less their zero points.
func matMulInteger(c *call) (*graph.Node, error) {
	var in [2]*graph.Node
	for i := range in {
		var err error
		if in[i], err = c.x(i); err != nil {
			return nil, err
		}
		if c.has(2 + i) {
			zero, err := c.x(2 + i)
			if err != nil {
				return nil, err
			}
			if constantly(zero, 0) {
				continue
			}
			if s := zero.Shape(); i == 0 && len(s) == 1 && s[0] > 1 {
				zero = c.g.Reshape(zero, s[0], 1) // one for each row
			}
			in[i] = c.g.Sub(in[i], zero)
		}
	}
	return c.g.MatMulAs(in[0], in[1], graph.MatMulAttrs{Whole: true}), nil
}
