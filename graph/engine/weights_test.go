package engine

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"graft/graph"
)

// network is two layers on x [n,6], the first with its weight transposed, the second with what follows a product done at
// once: bias, GELU and a residual. Its reading of weights is counted.
func network(n int, reads map[string]int) (g *graph.Graph, x, y *graph.Node) {
	g = graph.New()
	parameter := func(name string, shape ...int) *graph.Node {
		source := rand.New(rand.NewPCG(uint64(len(name)), uint64(shape[0])))
		return g.LazyParameter(name, true, func() ([]float32, error) {
			reads[name]++
			v := make([]float32, graph.Shape(shape).Size())
			for i := range v {
				v[i] = float32(source.NormFloat64())
			}
			return v, nil
		}, shape...)
	}
	x = g.Input("x", n, 6)
	h := g.MatMul(x, g.Transpose(parameter("turned", 20, 6)))
	h = g.Gelu(g.Add(h, parameter("bias", 20)))
	z := g.Add(g.MatMulT(h, parameter("second", 6, 20), false, true), parameter("b", 6))
	return g, x, g.Mul(g.Add(z, x), z) // z is read twice
}

// TestWeights wants programs of several sizes to read each weight once, and to compute what programs without them do.
func TestWeights(t *testing.T) {
	shared, reads := NewWeights(), map[string]int{}
	for _, n := range []int{1, 5, 130} {
		for _, threads := range []int{1, 2} {
			g, x, y := network(n, reads)
			alone := map[string]int{}
			g2, x2, y2 := network(n, alone)
			p, err := Compile(g, []*graph.Node{y}, nil, Options{Threads: threads, Weights: shared})
			if err != nil {
				t.Fatal(err)
			}
			q, err := Compile(g2, []*graph.Node{y2}, nil, Options{Threads: threads})
			if err != nil {
				t.Fatal(err)
			}
			for i := range p.Value(x) {
				p.Value(x)[i] = float32(i%7) - 3
			}
			copy(q.Value(x2), p.Value(x))
			if err := errors.Join(p.Run(t.Context()), q.Run(t.Context())); err != nil {
				t.Fatal(err)
			}
			close(t, "shared weights", widen(p.Value(y)), widen(q.Value(y2)), 1e-5)
			if err := p.Set(g.Lookup("b"), make([]float32, 6)); err == nil || !strings.Contains(err.Error(), "shares its weights") {
				t.Errorf("setting a shared weight: %v", err)
			}
		}
	}
	for name, times := range reads {
		if times != 1 {
			t.Errorf("%s was read %d times", name, times)
		}
	}
	g, _, y := network(1, reads)
	loss := g.Sum(y)
	d, err := graph.Gradient(loss, []*graph.Node{g.Lookup("b")})
	if err != nil {
		t.Fatal(err)
	}
	g.Update(g.Lookup("b"), d[0])
	if _, err := Compile(g, nil, g.Updates(), Options{Weights: shared}); err == nil || !strings.Contains(err.Error(), "not updated") {
		t.Errorf("updating shared weights: %v", err)
	}
}

// TestProductsAreFinished wants one step for a product and what follows it.
func TestProductsAreFinished(t *testing.T) {
	g, _, y := network(3, map[string]int{})
	p, err := Compile(g, []*graph.Node{y}, nil, Options{Threads: 1, Weights: NewWeights()})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.steps) != 2 {
		for _, s := range p.steps {
			t.Log(s.node)
		}
		t.Errorf("%d steps, want 2", len(p.steps))
	}
}

// TestWeightsInOtherShapes wants weights of one row or column transposed, reshaped and cut, to be what they are without
// sharing.
func TestWeightsInOtherShapes(t *testing.T) {
	for name, c := range map[string]struct {
		shape []int
		right func(g *graph.Graph, w *graph.Node) *graph.Node // [6,n]
	}{
		"a row turned":    {[]int{1, 6}, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Transpose(w) }},
		"a column":        {[]int{6, 1}, func(_ *graph.Graph, w *graph.Node) *graph.Node { return w }},
		"a row reshaped":  {[]int{1, 6}, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Reshape(w, 6, 1) }},
		"another shape":   {[]int{4, 9}, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Reshape(w, 6, 6) }},
		"square":          {[]int{6, 6}, func(_ *graph.Graph, w *graph.Node) *graph.Node { return w }},
		"a square turned": {[]int{6, 6}, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Transpose(w) }},
		"part":            {[]int{6, 8}, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Slice(w, 1, 2, 5) }},
	} {
		var got [2][]float32
		for i, shared := range []*Weights{nil, NewWeights()} {
			g := graph.New()
			x, v := g.Input("x", 3, 6), make([]float32, graph.Shape(c.shape).Size())
			for k := range v {
				v[k] = float32(k*k%11) - 4
			}
			y := g.MatMul(x, c.right(g, g.Parameter("w", v, c.shape...)))
			p, err := Compile(g, []*graph.Node{y}, nil, Options{Threads: 1, Weights: shared})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for k := range p.Value(x) {
				p.Value(x)[k] = float32(k%5) - 2
			}
			if err := p.Run(t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got[i] = p.Value(y)
		}
		close(t, name, widen(got[1]), widen(got[0]), 1e-6)
	}
}
