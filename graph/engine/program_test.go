package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/graph"
)

// TestNaNIsNamed wants the first operation at fault in the message, and parameters untouched.
func TestNaNIsNamed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		x          float32
		f          func(g *graph.Graph, w *graph.Node) *graph.Node
	}{
		{"loss", "/Log_", -1, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Exp(g.Scale(g.Log(w), 2)) }},
		{"infinity", "/Exp_", 1000, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Scale(g.Exp(w), 2) }},
		{"gradient of a finite loss", "grad(layer/Sqrt_", 0, func(g *graph.Graph, w *graph.Node) *graph.Node { return g.Sqrt(w) }},
	} {
		g := graph.New()
		w, x := g.Parameter("w", []float32{1, 1}, 2), g.Input("x", 2)
		end := g.Scope("layer")
		loss := g.Sum(c.f(g, g.Mul(w, x)))
		end()
		d, err := graph.Gradient(loss, []*graph.Node{w})
		if err != nil {
			t.Fatal(err)
		}
		g.Update(w, g.Sub(w, d[0]))
		p, err := Compile(g, []*graph.Node{loss}, g.Updates(), Options{Threads: 1, CheckNaN: true})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Set(x, []float32{2, c.x})
		err = p.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: wanted an error with %q, got %v", c.name, c.want, err)
		}
		if got := p.Parameter("w"); !slices.Equal(got, []float32{1, 1}) {
			t.Errorf("%s: the parameter changed to %v", c.name, got)
		}
		// The program is still good.
		_ = p.Set(x, []float32{2, 3})
		if err := p.Run(context.Background()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestNaNParameter tells a bad starting value from a bad operation.
func TestNaNParameter(t *testing.T) {
	g := graph.New()
	w := g.Parameter("w", []float32{1, float32(math.NaN())}, 2)
	p, err := Compile(g, []*graph.Node{g.Sum(w)}, nil, Options{CheckNaN: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "Parameter w holds NaN at element 1") {
		t.Errorf("wanted the parameter named, got %v", err)
	}
}

// TestUpdatesReadOldValues swaps two parameters and moves a third by both.
func TestUpdatesReadOldValues(t *testing.T) {
	g := graph.New()
	a, b, c := g.Parameter("a", []float32{1, 2}, 2), g.Parameter("b", []float32{3, 4}, 2), g.Parameter("c", []float32{0, 0}, 2)
	e, f := g.Parameter("e", []float32{1, 1}, 2), g.Parameter("f", []float32{2, 3}, 2)
	g.Update(e, g.Add(e, g.Scalar(1)))
	g.Update(f, g.Mul(f, e)) // another unit, after the first has run
	unread := g.State("unread", nil, 2)
	g.Update(a, b)
	g.Update(b, a)
	g.Update(c, g.Add(g.Mul(a, b), c))
	g.Update(unread, g.Add(a, b))
	p, err := Compile(g, nil, g.Updates(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]float32{"a": {1, 2}, "b": {3, 4}, "c": {6, 16}, "unread": {4, 6}, "e": {3, 3}, "f": {4, 6}} {
		if got := p.Parameter(name); !slices.Equal(got, want) {
			t.Errorf("%s: wanted %v, got %v", name, want, got)
		}
	}
}

// TestRunningStatistics compares batch normalisation's updates with their definition.
func TestRunningStatistics(t *testing.T) {
	g := graph.New()
	x := g.Input("x", 4, 1)
	mean, variance := g.State("mean", []float32{1}, 1), g.State("variance", []float32{2}, 1)
	y := g.BatchNormTraining(x, g.Constant([]float64{1}, 1), g.Constant([]float64{0}, 1), mean, variance, 0, 0.25)
	p, err := Compile(g, []*graph.Node{y}, g.Updates(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Set(x, []float32{0, 2, 4, 6}) // mean 3, variance 5, unbiased 20/3
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(t, "mean", widen(p.Parameter("mean")), []float64{1.5}, 1e-6)
	close(t, "variance", widen(p.Parameter("variance")), []float64{1.5 + 5.0/3}, 1e-6)
	close(t, "output", widen(p.Value(y)), []float64{-3 / math.Sqrt(5), -1 / math.Sqrt(5), 1 / math.Sqrt(5), 3 / math.Sqrt(5)}, 1e-6)
}

func TestErrors(t *testing.T) {
	g := graph.New()
	table, rows := g.Input("table", 3, 2), g.Indices("rows", 2)
	y := g.Gather(table, rows)
	p, err := Compile(g, []*graph.Node{y}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []float32{-1, 3, float32(math.NaN())} {
		_ = p.Set(rows, []float32{0, bad})
		if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "outside 0 to 2") {
			t.Errorf("index %v: got %v", bad, err)
		}
	}
	if err := p.Set(rows, []float32{1}); err == nil || !strings.Contains(err.Error(), "wanted 2 values, got 1") {
		t.Errorf("short input: got %v", err)
	}
	if err := p.Set(y, []float32{1}); err == nil {
		t.Error("an output was set")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if _, err := Compile(g, nil, nil, Options{}); err == nil {
		t.Error("a program of nothing was compiled")
	}
	if _, err := Compile(graph.New(), []*graph.Node{y}, nil, Options{}); err == nil {
		t.Error("a foreign output was accepted")
	}
	bad := graph.New()
	out := bad.Add(bad.Input("a", 2), bad.Input("b", 3))
	if _, err := Compile(bad, []*graph.Node{out}, nil, Options{}); err == nil || !strings.Contains(err.Error(), "do not broadcast") {
		t.Errorf("a graph with an error: got %v", err)
	}
}
