package raise

import (
	"math"
	"slices"

	"graft/graph"
)

// recognise looks at a node that was just built and returns a simpler one that computes the same, where the node ends a
// form that exporters take apart. Sums and products grow step by step: x̂, x̂·scale, x̂·scale+bias.
func recognise(g *graph.Graph, n *graph.Node) *graph.Node {
	if n == nil || n.ID() < 0 {
		return n
	}
	switch n.Op() {
	case graph.OpMatMul:
		return turned(g, n)
	case graph.OpDiv:
		return activation(g, standardised(g, n))
	case graph.OpMul:
		if y := scaledNorm(g, n); y != nil {
			return y
		}
		return activation(g, standardised(g, n))
	case graph.OpAdd:
		return shiftedNorm(g, n)
	}
	return n
}

// turned takes operands whose last two axes were swapped before a product as they were.
func turned(g *graph.Graph, n *graph.Node) *graph.Node {
	in, t := slices.Clone(n.Inputs()), n.Attrs().(graph.MatMulAttrs)
	for i, swapped := range []*bool{&t.TransA, &t.TransB} {
		perm, ok := in[i].Attrs().(graph.TransposeAttrs)
		r := len(perm.Perm)
		if ok && r > 1 && perm.Perm[r-1] == r-2 && perm.Perm[r-2] == r-1 && slices.IsSorted(perm.Perm[:r-2]) {
			in[i], *swapped = in[i].Inputs()[0], !*swapped
		}
	}
	if slices.Equal(in, n.Inputs()) {
		return n
	}
	return g.MatMulAs(in[0], in[1], t)
}

// standardised recognises (x-mean)/√(variance+eps), over the last axis, as a layer norm that neither scales nor shifts.
func standardised(g *graph.Graph, n *graph.Node) *graph.Node {
	a, root := n.Inputs()[0], n.Inputs()[1]
	if n.Op() == graph.OpMul { // by one over the root
		if a.Op() == graph.OpDiv {
			a, root = root, a
		}
		if root.Op() != graph.OpDiv || !isScalar(root.Inputs()[0], 1) {
			return n
		}
		root = root.Inputs()[1]
	}
	x, ok := centred(a)
	if !ok || root.Op() != graph.OpSqrt {
		return n
	}
	variance, eps, ok := plusScalar(root.Inputs()[0])
	if !ok || !lastMean(variance) {
		return n
	}
	square := variance.Inputs()[0]
	if square.Op() != graph.OpMul || square.Inputs()[0] != square.Inputs()[1] {
		return n
	}
	if y, ok := centred(square.Inputs()[0]); !ok || y != x {
		return n
	}
	d := x.Dim(-1)
	return g.LayerNorm(x, filled(g, d, 1), filled(g, d, 0), eps)
}

func filled(g *graph.Graph, n int, v float64) *graph.Node {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return g.Constant(out, n)
}

// centred recognises x - mean(x).
func centred(n *graph.Node) (x *graph.Node, ok bool) {
	if n.Op() != graph.OpSub {
		return nil, false
	}
	x, mean := n.Inputs()[0], n.Inputs()[1]
	return x, lastMean(mean) && mean.Inputs()[0] == x
}

// lastMean tells whether a node is a mean over the last axis that keeps it.
func lastMean(n *graph.Node) bool {
	a, ok := n.Attrs().(graph.ReduceAttrs)
	return ok && n.Op() == graph.OpReduceMean && a.Keep && len(a.Axes) == 1 && a.Axes[0] == len(n.Shape())-1
}

func plusScalar(n *graph.Node) (x *graph.Node, v float64, ok bool) {
	if n.Op() != graph.OpAdd {
		return nil, 0, false
	}
	for i, c := range n.Inputs() {
		if v, ok := scalar(c); ok {
			return n.Inputs()[1-i], v, true
		}
	}
	return nil, 0, false
}

func scalar(n *graph.Node) (float64, bool) {
	if n.Op() != graph.OpConstant || len(n.Value()) != 1 {
		return 0, false
	}
	return n.Value()[0], true
}

func isScalar(n *graph.Node, want float64) bool {
	v, ok := scalar(n)
	return ok && v == want
}

// constantly tells whether a node is a constant of one number throughout.
func constantly(n *graph.Node, want float64) bool {
	for _, v := range n.Value() {
		if v != want {
			return false
		}
	}
	return n.Op() == graph.OpConstant
}

// operandOfNorm finds a layer norm among a node's operands, and the other operand as a vector of its last axis.
func operandOfNorm(g *graph.Graph, n *graph.Node) (norm, v *graph.Node) {
	for i, norm := range n.Inputs() {
		v := n.Inputs()[1-i]
		if d := norm.Dim(-1); norm.Op() == graph.OpLayerNormalization && v.Shape().Size() == d && v.Dim(-1) == d && n.Shape().Equal(norm.Shape()) && norm != v {
			if len(v.Shape()) != 1 {
				v = g.Reshape(v, d)
			}
			return norm, v
		}
	}
	return nil, nil
}

func scaledNorm(g *graph.Graph, n *graph.Node) *graph.Node {
	norm, v := operandOfNorm(g, n)
	if norm == nil || !constantly(norm.Inputs()[1], 1) || !constantly(norm.Inputs()[2], 0) {
		return nil
	}
	return g.LayerNorm(norm.Inputs()[0], v, norm.Inputs()[2], norm.Attrs().(graph.NormAttrs).Eps)
}

func shiftedNorm(g *graph.Graph, n *graph.Node) *graph.Node {
	norm, v := operandOfNorm(g, n)
	if norm == nil || !constantly(norm.Inputs()[2], 0) {
		return n
	}
	return g.LayerNorm(norm.Inputs()[0], norm.Inputs()[1], v, norm.Attrs().(graph.NormAttrs).Eps)
}

type known struct {
	build func(g *graph.Graph, x *graph.Node) *graph.Node
	f     func(x float64) float64
}

func swish(alpha float64) known {
	return known{func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Swish(x, alpha) },
		func(x float64) float64 { return x / (1 + math.Exp(-alpha*x)) }}
}

// activations are functions of one number that exporters write out.
var activations = []known{
	{(*graph.Graph).Gelu, func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }},
	{(*graph.Graph).GeluTanh, func(x float64) float64 { return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))) }},
	swish(1), swish(1.702), // SiLU and quick GELU
	{(*graph.Graph).HardSwish, func(x float64) float64 { return x * min(max(x/6+0.5, 0), 1) }},
}

// activation recognises a product or quotient that computes, of one node, what one of the activations does: whatever the order of its
// factors, it is tried on some numbers.
func activation(g *graph.Graph, n *graph.Node) *graph.Node {
	if n.Op() != graph.OpMul && n.Op() != graph.OpDiv {
		return n
	}
	for _, x := range sources(n, 0) {
		if !x.Shape().Equal(n.Shape()) {
			continue
		}
		for _, a := range activations {
			if computes(n, x, a.f) {
				return a.build(g, x)
			}
		}
	}
	return n
}

// sources are the arguments of the functions that activations are made of, and what these are multiples of.
func sources(n *graph.Node, deep int) (out []*graph.Node) {
	const reach = 8 // steps from the end of tanh's form to its argument
	if deep > reach || graph.Point(n.Op()) == nil {
		return nil
	}
	switch n.Op() {
	case graph.OpErf, graph.OpTanh, graph.OpSigmoid, graph.OpHardSigmoid, graph.OpClip:
		return arguments(n.Inputs()[0], 0)
	}
	for _, x := range n.Inputs() {
		out = append(out, sources(x, deep+1)...)
	}
	return out
}

// arguments lists a node and what it is made of by sums and products.
func arguments(n *graph.Node, deep int) []*graph.Node {
	const reach = 5 // of x³ from √(2/π)·(x+0.044715·x³)
	out := []*graph.Node{n}
	if op := n.Op(); deep < reach && (op == graph.OpMul || op == graph.OpAdd || op == graph.OpDiv) {
		for _, x := range n.Inputs() {
			out = append(out, arguments(x, deep+1)...)
		}
	}
	return out
}

func computes(n, x *graph.Node, f func(float64) float64) bool {
	for _, v := range []float64{-3.7, -1.3, -0.4, 0.1, 0.8, 2.9, 3.7} {
		got, ok := at(n, x, v, 0)
		if want := f(v); !ok || math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
			return false
		}
	}
	return true
}

// at computes a node where x is a number, if it depends on nothing else.
func at(n, x *graph.Node, v float64, deep int) (float64, bool) {
	if n == x {
		return v, true
	}
	if s, ok := scalar(n); ok {
		return s, true
	}
	f := graph.Point(n.Op())
	if f == nil || deep > 12 {
		return 0, false
	}
	var in [3]float64
	for i, operand := range n.Inputs() {
		var ok bool
		if in[i], ok = at(operand, x, v, deep+1); !ok {
			return 0, false
		}
	}
	return f(in, n.Attrs()), true
}
