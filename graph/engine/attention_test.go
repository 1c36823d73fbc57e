package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
)

// attentions build softmax(QKᵀ)V of x [N,T,3D] or so, in the ways of exporters; units says how many the compiler makes of
// it.
var attentions = map[string]struct {
	units int
	build func(g *graph.Graph, x *graph.Node) *graph.Node
}{
	"heads side by side": {1, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 4)
		q, k, v = g.Transpose(q, 0, 2, 1, 3), g.Transpose(k, 0, 2, 3, 1), g.Transpose(v, 0, 2, 1, 3)
		y := g.MatMul(g.Softmax(g.MatMul(g.Scale(q, 0.35), k)), v)
		return g.Reshape(g.Transpose(y, 0, 2, 1, 3), x.Dim(0), x.Dim(1), -1)
	}},
	"scaled scores": {1, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 4)
		q, k, v = g.Transpose(q, 0, 2, 1, 3), g.Transpose(k, 0, 2, 1, 3), g.Transpose(v, 0, 2, 1, 3)
		scores := g.Div(g.MatMulT(q, k, false, true), g.Scalar(2.5))
		return g.Transpose(g.MatMul(g.Softmax(scores), v), 0, 2, 1, 3)
	}},
	"both scaled, batches of heads": {1, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 4)
		flat := func(n *graph.Node) *graph.Node {
			return g.Reshape(g.Transpose(n, 0, 2, 1, 3), -1, n.Dim(1), n.Dim(3))
		}
		q, k, v = flat(g.Scale(q, 0.6)), flat(g.Scale(k, 0.6)), flat(v)
		return g.MatMul(g.Softmax(g.MatMul(q, g.Transpose(k))), v)
	}},
	"one head": {1, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 1)
		one := func(n *graph.Node) *graph.Node { return g.Reshape(n, n.Dim(0), n.Dim(1), n.Dim(3)) }
		return g.MatMul(g.Softmax(g.MatMulT(one(q), one(k), false, true)), one(v))
	}},
	"columns first": {1, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 2)
		q, k, v = g.Transpose(q, 0, 2, 3, 1), g.Transpose(k, 0, 2, 1, 3), g.Transpose(v, 0, 2, 3, 1)
		return g.MatMulT(g.Softmax(g.MatMulT(q, k, true, true)), v, false, true)
	}},
	"weights that are wanted too": {0, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 1)
		w := g.Softmax(g.MatMulT(g.Transpose(q, 0, 2, 1, 3), g.Transpose(k, 0, 2, 1, 3), false, true))
		return g.Concat(3, g.MatMul(w, g.Transpose(v, 0, 2, 1, 3)), w)
	}},
	"a negative scale": {0, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 1)
		scores := g.Scale(g.MatMulT(g.Transpose(q, 0, 2, 1, 3), g.Transpose(k, 0, 2, 1, 3), false, true), -1)
		return g.MatMul(g.Softmax(scores), g.Transpose(v, 0, 2, 1, 3))
	}},
	"one after the other": {2, func(g *graph.Graph, x *graph.Node) *graph.Node {
		q, k, v := parts(g, x, 2)
		turn := func(n *graph.Node) *graph.Node { return g.Transpose(n, 0, 2, 1, 3) }
		y := g.Transpose(g.MatMul(g.Softmax(g.MatMulT(turn(q), turn(k), false, true)), turn(v)), 0, 2, 1, 3)
		return g.MatMul(g.Softmax(g.MatMulT(turn(y), turn(k), false, true)), turn(y))
	}},
}

// parts cuts x [N,T,3D] into three of [N,T,h,D/h].
func parts(g *graph.Graph, x *graph.Node, heads int) (q, k, v *graph.Node) {
	d := x.Dim(2) / 3
	part := func(i int) *graph.Node {
		return g.Reshape(g.Slice(x, 2, i*d, (i+1)*d), x.Dim(0), x.Dim(1), heads, -1)
	}
	return part(0), part(1), part(2)
}

// TestAttention compares with the plainest loops, for sizes that fill blocks and that do not.
func TestAttention(t *testing.T) {
	for name, c := range attentions {
		for _, size := range [][3]int{{1, 1, 12}, {1, 5, 24}, {3, 17, 48}, {2, 70, 24}} {
			for _, threads := range []int{1, 3} {
				g := graph.New()
				x := g.Input("x", size[:]...)
				y := c.build(g, g.Add(x, g.Scalar(0.125))) // so that it is no leaf
				checkProgram(t, fmt.Sprintf("%s %v on %d threads", name, size, threads), g, x, y, threads, c.units)
			}
		}
	}
}

func checkProgram(t *testing.T, what string, g *graph.Graph, x, y *graph.Node, threads, units int) {
	t.Helper()
	p, err := Compile(g, []*graph.Node{y}, nil, Options{Threads: threads})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	found := 0
	for _, u := range group(simplify(g, []*graph.Node{y}, nil), true, false).order {
		if u.heads != nil {
			found++
		}
	}
	if found != units {
		t.Errorf("%s: %d units of attention, want %d", what, found, units)
	}
	in, source := make([]float32, x.Shape().Size()), rand.New(rand.NewPCG(3, 5))
	for i := range in {
		in[i] = float32(source.NormFloat64())
	}
	if err := p.Set(x, in); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := reference(t, g, map[*graph.Node][]float64{x: widen(in)}, y)[0]
	for i, v := range p.Value(y) {
		if d := float64(v) - want[i]; !(d < 1e-5 && d > -1e-5) {
			t.Errorf("%s: element %d is %v, want %v", what, i, v, want[i])
			return
		}
	}
}
