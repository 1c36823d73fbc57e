package precision

import (
	"math"

	"graft/onnx"
)

// expression is a value as a function of one other value, element by element.
// A constant has no leaf.
type expression struct {
	leaf string
	at   func(x float64) float64
}

// unary and binary are the operators that expressions are made of.
var (
	unary = map[string]func(a float64) float64{
		"Identity": func(a float64) float64 { return a },
		"Neg":      func(a float64) float64 { return -a },
		"Erf":      math.Erf,
		"Tanh":     math.Tanh,
		"Relu":     func(a float64) float64 { return max(a, 0) },
		"Sigmoid":  func(a float64) float64 { return 1 / (1 + math.Exp(-a)) },
	}
	binary = map[string]func(a, b float64) float64{
		"Add": func(a, b float64) float64 { return a + b },
		"Sub": func(a, b float64) float64 { return a - b },
		"Mul": func(a, b float64) float64 { return a * b },
		"Div": func(a, b float64) float64 { return a / b },
		"Pow": math.Pow,
	}
)

// lowestFloor is the bound below which shifting gains nothing.
const lowestFloor = -1

// floor is the least value that name can have whatever the rest of the network
// computes, if it is the output of an activation function that is bounded below:
// about −0.17 after GELU. The function is found by walking back through
// elementwise operators and constants to the one value that they depend on, and
// its least value by trying.
func (g *graph) floor(name string) (float64, bool) {
	e := g.expression(name)
	if e.leaf == name || e.leaf == "" {
		return 0, false
	}
	const edge, step, far = 16, 1.0 / 1024, 1e6
	least := math.Inf(1)
	try := func(x float64) {
		if y := e.at(x); !(y >= least) { // NaN too
			least = y
		}
	}
	for x := float64(edge); x <= far; x *= 2 {
		try(x)
		try(-x)
	}
	for x := -float64(edge); x < edge; x += step {
		try(x)
	}
	return least, least >= lowestFloor
}

// expression expands name as far as it depends on one value only.
func (g *graph) expression(name string) expression {
	if e, ok := g.scalars[name]; ok {
		return e
	}
	e, ok := g.expand(name)
	if !ok {
		e = expression{name, func(x float64) float64 { return x }}
	}
	g.scalars[name] = e
	return e
}

func (g *graph) expand(name string) (expression, bool) {
	if t, ok := g.Constant(name); ok {
		return scalar(t)
	}
	n, ok := g.Producers[name]
	if !ok || n.Domain != "" {
		return expression{}, false
	}
	if f, ok := unary[n.Op]; ok && len(n.Inputs) == 1 {
		a := g.expression(n.Inputs[0])
		return expression{a.leaf, func(x float64) float64 { return f(a.at(x)) }}, true
	}
	f, ok := binary[n.Op]
	if !ok || len(n.Inputs) != 2 {
		return expression{}, false
	}
	a, b := g.expression(n.Inputs[0]), g.expression(n.Inputs[1])
	if a.leaf != b.leaf && a.leaf != "" && b.leaf != "" {
		return expression{}, false
	}
	return expression{max(a.leaf, b.leaf), func(x float64) float64 { return f(a.at(x), b.at(x)) }}, true
}

// scalar is a constant of one element.
func scalar(t onnx.Tensor) (expression, bool) {
	if n, err := onnx.Elements(t.Dims); err != nil || n != 1 {
		return expression{}, false
	}
	v, err := t.Float32s()
	if err != nil {
		return expression{}, false // not a floating-point number
	}
	return expression{at: func(float64) float64 { return float64(v[0]) }}, true
}
