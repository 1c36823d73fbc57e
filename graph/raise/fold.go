package raise

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// fixed is a constant: numbers, row-major. Unlike a graph's tensors it may be empty, as the shape of a scalar is.
type fixed struct {
	shape []int
	v     []float64
}

func floating(t onnx.DType) bool {
	return t == onnx.Float32 || t == onnx.Float16 || t == onnx.BFloat16 || t == onnx.Float64
}

// fixedOf reads a tensor of the model.
func fixedOf(t onnx.Tensor) (*fixed, error) {
	f := &fixed{}
	for _, d := range t.Dims {
		f.shape = append(f.shape, int(d))
	}
	v, err := numbers(t)
	f.v = v
	return f, err
}

func numbers(t onnx.Tensor) ([]float64, error) {
	if floating(t.Type) {
		v, err := t.Float32s()
		return widen(v), err
	}
	v, err := t.Int64s()
	return widen(v), err
}

func widen[T float32 | int64 | int](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// wholes turns numbers into ints; the ends of ONNX's "up to the end" stay far outside of every tensor.
func wholes(v []float64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(math.Max(-math.MaxInt32, math.Min(math.MaxInt32, x)))
	}
	return out
}

// node declares the constant in a graph.
func (f *fixed) node(g *graph.Graph, t onnx.DType) (*graph.Node, error) {
	if len(f.v) == 0 {
		return nil, errors.New("it is empty")
	}
	if len(f.shape) == 0 {
		if t != onnx.Bool {
			return g.Scalar(f.v[0]), g.Err()
		}
	}
	x := g.Constant(f.v, f.shape...)
	if t == onnx.Bool {
		x = g.Greater(x, g.Scalar(0.5))
	}
	return x, g.Err()
}

// fold computes a node whose operands are all constant; nil where they are not.
func (c *call) fold() ([]*value, error) {
	if f := folds[c.Op]; f != nil && c.Domain == "" {
		if v, err := f(c); v != nil || err != nil {
			return []*value{v}, err
		}
	}
	if len(c.Inputs) == 0 || rules[c.Op] == nil {
		return nil, nil
	}
	var typ onnx.DType
	for i := range c.Inputs {
		if !c.has(i) {
			continue
		}
		v, err := c.operand(i)
		if err != nil || v.fixed == nil {
			return nil, err
		}
		if i == 0 || c.Op == "Where" {
			typ = v.typ
		}
	}
	// The operator's own rule, on a graph that nothing else needs.
	nodes, err := rules[c.Op](&call{raiser: c.raiser, Node: c.Node, g: graph.New()})
	if err != nil {
		return nil, err
	}
	var out []*value
	for _, x := range nodes {
		v, err := graph.Evaluate(x)
		if err != nil {
			return nil, err
		}
		if x.Type() == graph.Bool {
			typ = onnx.Bool
		}
		if !floating(typ) && c.Op == "Div" {
			for i := range v {
				v[i] = math.Trunc(v[i])
			}
		}
		out = append(out, &value{fixed: &fixed{slices.Clone(x.Shape()), v}, typ: typ})
	}
	return out, nil
}

// folds are the operators whose results may be constant where no graph could hold them: shapes and what is made of them.
// A nil value leaves the node to its rule.
var folds = map[string]func(c *call) (*value, error){
	"Constant": foldConstant, "ConstantOfShape": foldConstantOfShape, "Range": foldRange, "Cast": foldCast, "CastLike": foldCast,
	"Slice": foldSlice, "Concat": foldConcat, "Gather": foldGather,
	"Mod": pointwise(foldMod), "And": pointwise(func(a, b float64) float64 { return a * b }), "Or": pointwise(math.Max),
	"Floor": each(math.Floor), "Ceil": each(math.Ceil), "Round": each(math.RoundToEven), "Not": each(func(x float64) float64 { return 1 - x }),
	"Squeeze": sameNumbers(squeezed), "Unsqueeze": sameNumbers(unsqueezed), "Identity": sameNumbers(func(_ *call, s []int) ([]int, error) { return s, nil }),
}

func vectorOf(v []float64) *value {
	return &value{fixed: &fixed{[]int{len(v)}, v}, typ: onnx.Int64}
}

func foldConstant(c *call) (*value, error) {
	switch v := c.Attr("value").(type) {
	case onnx.Tensor:
		f, err := fixedOf(v)
		return &value{fixed: f, typ: v.Type}, err
	}
	switch {
	case c.Ints("value_ints") != nil:
		return vectorOf(widen(c.Ints("value_ints"))), nil
	case c.Attr("value_int") != nil:
		return &value{fixed: &fixed{v: []float64{float64(c.Int("value_int", 0))}}, typ: onnx.Int64}, nil
	case c.Attr("value_float") != nil:
		return &value{fixed: &fixed{v: []float64{c.Float("value_float", 0)}}, typ: onnx.Float32}, nil
	}
	if v, ok := c.Attr("value_floats").([]float32); ok {
		return &value{fixed: &fixed{[]int{len(v)}, widen(v)}, typ: onnx.Float32}, nil
	}
	return nil, errors.New("want a constant of numbers")
}

// bound is an end of a slice of n elements, counted from the end where negative, as ONNX clamps it.
func bound(i, n int) int {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}

func foldConstantOfShape(c *call) (*value, error) {
	shape, err := c.whole(0)
	if err != nil {
		return nil, err
	}
	fill, typ := 0.0, onnx.Float32
	if t, ok := c.Attr("value").(onnx.Tensor); ok {
		v, err := numbers(t)
		if err != nil || len(v) != 1 {
			return nil, fmt.Errorf("want one number to fill with: %v", err)
		}
		fill, typ = v[0], t.Type
	}
	if err := sizeable(shape); err != nil {
		return nil, err
	}
	return &value{fixed: &fixed{shape, slices.Repeat([]float64{fill}, graph.Shape(shape).Size())}, typ: typ}, nil
}

// maxFolded bounds a constant, so that a broken model cannot ask for more memory than there is.
const maxFolded = 1 << 26

func sizeable(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 0 || d > maxFolded || n*d > maxFolded {
			return fmt.Errorf("a constant of shape %v: want at most %d elements", shape, maxFolded)
		}
		n *= d
	}
	return nil
}

func foldRange(c *call) (*value, error) {
	var v [3]float64
	for i := range v {
		x, err := c.floats(i)
		if err != nil || len(x) != 1 {
			return nil, fmt.Errorf("operand %d: want one constant number: %v", i, err)
		}
		v[i] = x[0]
	}
	n := math.Ceil((v[1] - v[0]) / v[2])
	if !(n <= maxFolded) {
		return nil, fmt.Errorf("from %g to %g by %g: want at most %d elements", v[0], v[1], v[2], maxFolded)
	}
	out := []float64{}
	for i := range int(max(n, 0)) {
		out = append(out, v[0]+float64(i)*v[2])
	}
	first, err := c.operand(0)
	return &value{fixed: &fixed{[]int{len(out)}, out}, typ: first.typ}, err
}

// constant is an operand that is constant, or nil.
func (c *call) constant(i int) (*value, error) {
	if !c.has(i) {
		return nil, nil
	}
	v, err := c.operand(i)
	if err != nil || v.fixed == nil {
		return nil, err
	}
	return v, nil
}

func foldCast(c *call) (*value, error) {
	x, err := c.constant(0)
	if x == nil {
		return nil, err
	}
	to, err := c.target()
	if err != nil {
		return nil, err
	}
	out := slices.Clone(x.fixed.v)
	for i, v := range out {
		switch {
		case to == onnx.Bool && v != 0:
			out[i] = 1
		case to == onnx.Float32:
			out[i] = float64(float32(v))
		case !floating(to):
			out[i] = math.Trunc(v)
		}
	}
	return &value{fixed: &fixed{x.fixed.shape, out}, typ: to}, nil
}

// each folds a function of one operand.
func each(f func(float64) float64) func(c *call) (*value, error) {
	return func(c *call) (*value, error) {
		x, err := c.constant(0)
		if x == nil {
			return nil, err
		}
		out := make([]float64, len(x.fixed.v))
		for i, v := range x.fixed.v {
			out[i] = f(v)
		}
		return &value{fixed: &fixed{x.fixed.shape, out}, typ: x.typ}, nil
	}
}

// pointwise folds a function of two operands of one shape, or of which one is a single number.
func pointwise(f func(a, b float64) float64) func(c *call) (*value, error) {
	return func(c *call) (*value, error) {
		a, err := c.constant(0)
		if a == nil {
			return nil, err
		}
		b, err := c.constant(1)
		if b == nil {
			return nil, err
		}
		longer := a.fixed
		if len(b.fixed.v) > len(longer.v) {
			longer = b.fixed
		}
		if n := len(longer.v); (len(a.fixed.v) != n && len(a.fixed.v) != 1) || (len(b.fixed.v) != n && len(b.fixed.v) != 1) {
			return nil, fmt.Errorf("constants of shapes %v and %v", a.fixed.shape, b.fixed.shape)
		}
		out := make([]float64, len(longer.v))
		for i := range out {
			out[i] = f(a.fixed.v[min(i, len(a.fixed.v)-1)], b.fixed.v[min(i, len(b.fixed.v)-1)])
		}
		return &value{fixed: &fixed{longer.shape, out}, typ: a.typ}, nil
	}
}

// foldMod has the divisor's sign, as ONNX's has for whole numbers.
func foldMod(a, b float64) float64 { return a - b*math.Floor(a/b) }

// sameNumbers folds an operator that changes no more than the shape.
func sameNumbers(shape func(c *call, s []int) ([]int, error)) func(c *call) (*value, error) {
	return func(c *call) (*value, error) {
		x, err := c.constant(0)
		if x == nil {
			return nil, err
		}
		s, err := shape(c, x.fixed.shape)
		return &value{fixed: &fixed{s, x.fixed.v}, typ: x.typ}, err
	}
}

func foldConcat(c *call) (*value, error) {
	var parts []*value
	for i := range c.Inputs {
		x, err := c.constant(i)
		if x == nil {
			return nil, err
		}
		parts = append(parts, x)
	}
	out := &fixed{shape: []int{0}}
	for _, p := range parts {
		if len(p.fixed.shape) != 1 {
			return nil, nil // left to the rule
		}
		out.v = append(out.v, p.fixed.v...)
	}
	out.shape[0] = len(out.v)
	return &value{fixed: out, typ: parts[0].typ}, nil
}

// foldGather picks from a vector, such as a shape.
func foldGather(c *call) (*value, error) {
	x, err := c.constant(0)
	if x == nil || len(x.fixed.shape) != 1 {
		return nil, err
	}
	picks, err := c.constant(1)
	if picks == nil {
		return nil, err
	}
	out := []float64{}
	for _, k := range wholes(picks.fixed.v) {
		a, err := axis(k, len(x.fixed.v))
		if err != nil {
			return nil, err
		}
		out = append(out, x.fixed.v[a])
	}
	return &value{fixed: &fixed{picks.fixed.shape, out}, typ: x.typ}, nil
}

func foldSlice(c *call) (*value, error) {
	x, err := c.constant(0)
	if x == nil || len(x.fixed.shape) != 1 {
		return nil, err
	}
	cuts, err := c.cuts(x.fixed.shape)
	if err != nil {
		return nil, err
	}
	out := []float64{}
	for _, i := range cuts[0].indices() {
		out = append(out, x.fixed.v[i])
	}
	return &value{fixed: &fixed{[]int{len(out)}, out}, typ: x.typ}, nil
}
