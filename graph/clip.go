package graph

import (
	"math"

	"graft/onnx"
)

// Operations with bounds and bends.
const (
	OpMax         Op = "Max"
	OpMin         Op = "Min"
	OpAbs         Op = "Abs"
	OpClip        Op = "Clip"
	OpLeakyRelu   Op = "LeakyRelu"
	OpHardSigmoid Op = "HardSigmoid"
	OpHardSwish   Op = "HardSwish"
)

// ClipAttrs holds the bounds; infinite ones do not bind.
type ClipAttrs struct{ Min, Max float64 }

// LeakyReluAttrs is the factor of negative numbers.
type LeakyReluAttrs struct{ Alpha float64 }

// HardSigmoidAttrs is the line between 0 and 1.
type HardSigmoidAttrs struct{ Alpha, Beta float64 }

// Maximum is the greater of a and b, NaN if either is. The gradient goes to it, of equal ones half to each.
func (g *Graph) Maximum(a, b *Node) *Node { return g.apply(OpMax, nil, a, b) }

// Minimum is the smaller of a and b, NaN if either is. The gradient goes to it, of equal ones half to each.
func (g *Graph) Minimum(a, b *Node) *Node { return g.apply(OpMin, nil, a, b) }

// Abs is |x|, with gradient 0 at 0.
func (g *Graph) Abs(x *Node) *Node { return g.apply(OpAbs, nil, x) }

// Clip is min(max(x, lo), hi). The gradient is 0 at the bounds and beyond.
func (g *Graph) Clip(x *Node, lo, hi float64) *Node {
	if math.IsInf(lo, -1) && math.IsInf(hi, 1) {
		return x
	}
	return g.apply(OpClip, ClipAttrs{lo, hi}, x)
}

// LeakyRelu is x where it is positive and alpha·x elsewhere, with gradient alpha at 0.
func (g *Graph) LeakyRelu(x *Node, alpha float64) *Node {
	return g.apply(OpLeakyRelu, LeakyReluAttrs{alpha}, x)
}

// HardSigmoid is alpha·x+beta, clipped to 0…1, with gradient 0 at the bends.
func (g *Graph) HardSigmoid(x *Node, alpha, beta float64) *Node {
	return g.apply(OpHardSigmoid, HardSigmoidAttrs{alpha, beta}, x)
}

// HardSwish is x·min(max(x/6+1/2, 0), 1), with gradient 0 at -3 and 1 at 3.
func (g *Graph) HardSwish(x *Node) *Node { return g.apply(OpHardSwish, nil, x) }

// chosen is the gradient rule of the greater or smaller of two: better tells which one.
func chosen(better func(g *Graph, a, b *Node) *Node) rule {
	return func(g *Graph, n, dy *Node) []*Node {
		a, b, zero := n.in[0], n.in[1], g.Scalar(0)
		half := g.Where(g.Equal(a, b), g.Scale(dy, 0.5), zero)
		return []*Node{g.Where(better(g, a, b), dy, half), g.Where(better(g, b, a), dy, half)}
	}
}

// between is v where lo < y < hi, 0 elsewhere.
func between(g *Graph, y, v *Node, lo, hi float64) *Node {
	zero := g.Scalar(0)
	if !math.IsInf(lo, -1) {
		v = g.Where(g.Greater(y, g.Scalar(lo)), v, zero)
	}
	if !math.IsInf(hi, 1) {
		v = g.Where(g.Less(y, g.Scalar(hi)), v, zero)
	}
	return v
}

func clip(x float64, a ClipAttrs) float64 { return math.Min(math.Max(x, a.Min), a.Max) }

func clipFormula(g *Graph, in []*Node, attrs any) *Node {
	a, y := attrs.(ClipAttrs), in[0]
	if !math.IsInf(a.Min, -1) {
		y = g.Maximum(y, g.Scalar(a.Min))
	}
	if !math.IsInf(a.Max, 1) {
		y = g.Minimum(y, g.Scalar(a.Max))
	}
	return y
}

// writeClip adds Clip, whose bounds are operands that may be absent.
func writeClip(w *Writer, n *Node) string {
	a := n.attrs.(ClipAttrs)
	var bounds []string
	for _, b := range []struct {
		name  string
		value float64
	}{{"min", a.Min}, {"max", a.Max}} {
		if math.IsInf(b.value, 0) {
			bounds = append(bounds, "")
			continue
		}
		bounds = append(bounds, w.Const(n.name+"/"+b.name, onnx.Float32, nil, onnx.Float32s([]float32{float32(b.value)})))
	}
	if bounds[1] == "" {
		bounds = bounds[:1]
	}
	return w.Op("Clip", n.name, w.operands(n, bounds...))
}

func init() {
	binary(OpMax, Float, "maximum", math.Max, chosen((*Graph).Greater))
	binary(OpMin, Float, "minimum", math.Min, chosen((*Graph).Less))
	abs := unaryRow(OpAbs, math.Abs, func(g *Graph, x, _, dy *Node) *Node {
		zero := g.Scalar(0)
		return g.Where(g.Greater(x, zero), dy, g.Where(g.Less(x, zero), g.Neg(dy), zero))
	})
	abs.formula = func(g *Graph, in []*Node, _ any) *Node { return g.Maximum(in[0], g.Neg(in[0])) }
	register(OpAbs, abs)
	bent := row{min: 1, max: 1, shape: elementwise(Float, Float), batch: batchBroadcasts}

	clipped := bent
	clipped.point = func(v [3]float64, attrs any) float64 { return clip(v[0], attrs.(ClipAttrs)) }
	clipped.formula, clipped.write, clipped.fixtures = clipFormula, writeClip, []string{"clip", "clip_above", "clip_below"}
	clipped.grad = func(g *Graph, n, dy *Node) []*Node {
		a := n.attrs.(ClipAttrs)
		return []*Node{between(g, n, dy, a.Min, a.Max)}
	}
	register(OpClip, clipped)

	leaky := bent
	leaky.point = func(v [3]float64, attrs any) float64 {
		if v[0] > 0 {
			return v[0]
		}
		return v[0] * attrs.(LeakyReluAttrs).Alpha
	}
	leaky.formula = func(g *Graph, in []*Node, attrs any) *Node {
		return g.Where(g.Greater(in[0], g.Scalar(0)), in[0], g.Scale(in[0], attrs.(LeakyReluAttrs).Alpha))
	}
	leaky.grad = func(g *Graph, n, dy *Node) []*Node {
		return []*Node{g.Where(g.Greater(n.in[0], g.Scalar(0)), dy, g.Scale(dy, n.attrs.(LeakyReluAttrs).Alpha))}
	}
	leaky.write = func(w *Writer, n *Node) string {
		return w.operator(n, attr("alpha", float32(n.attrs.(LeakyReluAttrs).Alpha)))
	}
	leaky.fixtures = []string{"leaky_relu"}
	register(OpLeakyRelu, leaky)
	registerHard(bent)
}

// registerHard registers the sigmoid that is a clipped line, and the activation that it gates.
func registerHard(sigmoid row) {
	unit := ClipAttrs{0, 1}
	swish := sigmoid
	sigmoid.point = func(v [3]float64, attrs any) float64 {
		a := attrs.(HardSigmoidAttrs)
		return clip(a.Alpha*v[0]+a.Beta, unit)
	}
	sigmoid.formula = func(g *Graph, in []*Node, attrs any) *Node {
		a := attrs.(HardSigmoidAttrs)
		return g.Clip(g.Add(g.Scale(in[0], a.Alpha), g.Scalar(a.Beta)), 0, 1)
	}
	sigmoid.grad = func(g *Graph, n, dy *Node) []*Node {
		return []*Node{between(g, n, g.Scale(dy, n.attrs.(HardSigmoidAttrs).Alpha), 0, 1)}
	}
	sigmoid.write = func(w *Writer, n *Node) string {
		a := n.attrs.(HardSigmoidAttrs)
		return w.operator(n, attr("alpha", float32(a.Alpha)), attr("beta", float32(a.Beta)))
	}
	sigmoid.fixtures = []string{"hard_sigmoid"}
	register(OpHardSigmoid, sigmoid)

	swish.point = func(v [3]float64, _ any) float64 { return v[0] * clip(v[0]/6+0.5, unit) }
	swish.formula = func(g *Graph, in []*Node, _ any) *Node { return g.Mul(in[0], g.HardSigmoid(in[0], 1.0/6, 0.5)) }
	// The gate, and x/6 where it bends.
	swish.grad = func(g *Graph, n, dy *Node) []*Node {
		gate := g.HardSigmoid(n.in[0], 1.0/6, 0.5)
		return []*Node{g.Mul(dy, g.Add(gate, between(g, gate, g.Scale(n.in[0], 1.0/6), 0, 1)))}
	}
	swish.write = func(w *Writer, n *Node) string { return w.operator(n) }
	swish.fixtures = []string{"hard_swish"}
	register(OpHardSwish, swish)
}
