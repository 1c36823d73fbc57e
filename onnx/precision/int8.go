package precision

import (
	"fmt"
	"strings"

	"graft/onnx"
)

// perChannelOpset is ONNX's operator set that brought DequantizeLinear with one
// scale per channel; reduceOpset the one that made the axes of reductions an
// input.
const (
	perChannelOpset = 13
	reduceOpset     = 18
)

// margin widens the range of shifted activations, so that it is never empty and
// rounding cannot leave it.
const margin = 1e-3

// leastSpan stands for the range of a token that is all zeros.
const leastSpan = 1e-20

// quantizer replaces products in a model.
type quantizer struct {
	*graph
	b      *onnx.Builder
	recent recent
	tokens map[string]tokens // by the name of the float32 value
	layers map[string]layer  // by the name of the float32 matrix
	done   map[string]bool   // outputs of the additions that became part of a product
	axes   string            // of reductions, where they are an input
}

// tokens is a product's left side [N,T,in] in uint8: value ≈ span·unit − shift.
type tokens struct {
	unit  string // dequantised, within [−1,1] or [0,1]
	span  string // [N,T,1]
	shift float64
}

// layer is a product's right side [in,out] in int8.
type layer struct {
	source *source
	float  string // dequantised
}

func rewriteInt8(m *onnx.Model) (how string, products int, err error) {
	if m.Opset < perChannelOpset {
		return "", 0, fmt.Errorf("int8 needs operator set %d, the model has %d", perChannelOpset, m.Opset)
	}
	nodes := m.Nodes
	q := &quantizer{graph: newGraph(m), b: onnx.NewBuilder(m), tokens: map[string]tokens{}, layers: map[string]layer{}, done: map[string]bool{}}
	chosen := q.repeated()
	m.Nodes = nil // the builder appends
	for _, n := range nodes {
		t, ok := q.Matrix(n)
		switch {
		case ok && chosen[t.Name]:
			q.product(n, t)
			products++
		case len(n.Outputs) == 0 || !q.done[n.Outputs[0]]:
			m.Nodes = append(m.Nodes, n)
		}
	}
	how = fmt.Sprintf("%d products: weights int8, symmetric, a scale per output channel; activations uint8, a scale per token, found at run time", products)
	return how, products, nil
}

// product replaces one MatMul, and the bias added to it.
func (q *quantizer) product(n onnx.Node, weights onnx.Tensor) {
	x, w := q.activations(n.Inputs[0]), q.layer(weights)
	last, bias := q.bias(n, weights.Dims[1])
	if bias != nil {
		q.done[last.Outputs[0]] = true
	}
	y := q.b.Op("MatMul", n.Outputs[0]+"_int8", []string{x.unit, w.float})
	if bias == nil && x.shift == 0 {
		q.emit("Mul", last, y, x.span)
		return
	}
	y = q.b.Op("Mul", n.Outputs[0]+"_scaled", []string{y, x.span})
	q.emit("Add", last, y, q.offset(weights, w.source, bias, x.shift))
}

// bias is the node that adds a constant vector to n's output and is its only
// reader, with that vector; else n and nil.
func (q *quantizer) bias(n onnx.Node, size int64) (onnx.Node, *onnx.Tensor) {
	readers := q.Readers[n.Outputs[0]]
	if len(readers) != 1 || readers[0] == nil || readers[0].Op != "Add" || readers[0].Domain != "" {
		return n, nil
	}
	for _, name := range readers[0].Inputs {
		t, ok := q.Weights[name]
		if ok && t.Type == onnx.Float32 && len(t.Dims) == 1 && t.Dims[0] == size {
			return *readers[0], &t
		}
	}
	return n, nil
}

// offset adds the bias less the share of the activations' shift. It has two
// dimensions: with one, ONNX Runtime fuses it with a GELU into BiasGelu, which is
// slower than Gelu after this addition.
func (q *quantizer) offset(weights onnx.Tensor, s *source, bias *onnx.Tensor, shift float64) string {
	cols := weights.Dims[1]
	return q.b.Const(weights.Name+"_offset", onnx.Float32, []int64{1, cols}, part{4 * cols, func() (onnx.Raw, error) {
		v := make([]float32, cols)
		if bias != nil {
			var err error
			if v, err = bias.Float32s(); err != nil {
				return nil, err
			}
		}
		if shift == 0 {
			return onnx.Float32s(v), nil
		}
		z, err := s.get()
		if err != nil {
			return nil, err
		}
		for j, sum := range z.sums {
			v[j] = float32(float64(v[j]) - shift*float64(sum))
		}
		return onnx.Float32s(v), nil
	}})
}

// emit adds the node that now gives n's output.
func (q *quantizer) emit(op string, n onnx.Node, inputs ...string) {
	q.b.Model.Nodes = append(q.b.Model.Nodes, onnx.Node{Op: op, Name: n.Name, Inputs: inputs, Outputs: n.Outputs})
}

// layer adds the weights, once for each matrix.
func (q *quantizer) layer(t onnx.Tensor) layer {
	if l, ok := q.layers[t.Name]; ok {
		return l
	}
	s := &source{t, &q.recent}
	cols := t.Dims[1]
	ints := q.b.Const(t.Name+"_int8", onnx.Int8, t.Dims, s.part(t.Dims[0]*cols, func(z quantized) onnx.Raw { return onnx.Bytes(z.ints) }))
	scale := q.b.Const(t.Name+"_scale", onnx.Float32, []int64{cols}, s.part(4*cols, func(z quantized) onnx.Raw { return onnx.Float32s(z.scale) }))
	l := layer{s, q.b.Op("DequantizeLinear", t.Name+"_float", []string{ints, scale}, onnx.Attr{Name: "axis", Value: 1})}
	q.layers[t.Name] = l
	return l
}

// activations adds the quantisation of x, once for each value.
func (q *quantizer) activations(x string) tokens {
	if t, ok := q.tokens[x]; ok {
		return t
	}
	var t tokens
	if least, ok := q.floor(x); ok {
		t = q.shifted(x, float32(margin-least))
	} else {
		t = q.symmetric(x)
	}
	q.tokens[x] = t
	return t
}

// symmetric maps each token's [−max|x|, max|x|] to 1…255, 0 being 128.
func (q *quantizer) symmetric(x string) tokens {
	low := q.b.Op("Neg", x+"_low", []string{q.reduce("ReduceMin", x)})
	span := q.b.Op("Max", x+"_span", []string{q.reduce("ReduceMax", x), low, q.b.Float32s("least_span", []float32{leastSpan})})
	return tokens{unit: q.round(x, x, span, 1./levels, 128), span: span}
}

// shifted maps each token's [−shift, max x] to 0…255.
func (q *quantizer) shifted(x string, shift float32) tokens {
	by := q.b.Float32s("shift", []float32{shift})
	span := q.b.Op("Add", x+"_span", []string{q.reduce("ReduceMax", x), by})
	moved := q.b.Op("Add", x+"_shifted", []string{x, by})
	return tokens{unit: q.round(x, moved, span, 1./255, 0), span: span, shift: float64(shift)}
}

// round divides by span, and rounds to multiples of step.
func (q *quantizer) round(name, x, span string, step float32, zero uint8) string {
	unit := q.b.Op("Mul", name+"_unit", []string{x, q.b.Op("Reciprocal", name+"_rate", []string{span})})
	scale := q.b.Float32s("step", []float32{step})
	point := q.b.Const("zero_point", onnx.Uint8, nil, onnx.Bytes([]byte{zero}))
	ints := q.b.Op("QuantizeLinear", name+"_uint8", []string{unit, scale, point})
	return q.b.Op("DequantizeLinear", name+"_rounded", []string{ints, scale, point})
}

// reduce is the largest or smallest element of each token of x: [N,T,1].
func (q *quantizer) reduce(op, x string) string {
	name, keep := x+"_"+strings.ToLower(op), onnx.Attr{Name: "keepdims", Value: 1}
	if q.model.Opset < reduceOpset {
		return q.b.Op(op, name, []string{x}, onnx.Attr{Name: "axes", Value: []int64{-1}}, keep)
	}
	if q.axes == "" {
		q.axes = q.b.Int64s("last_axis", -1)
	}
	return q.b.Op(op, name, []string{x, q.axes}, keep)
}
