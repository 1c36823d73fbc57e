package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/graph"
)

func Example() {
	g := graph.New()
	x := g.Input("x", 3)
	w := g.Parameter("w", []float32{1, 1, 1}, 3)
	loss := g.Sum(g.Mul(g.Mul(x, w), w)) // Σ x·w², so the gradient is 2·x·w
	gradients, err := graph.Gradient(loss, []*graph.Node{w})
	if err != nil {
		fmt.Println(err)
		return
	}
	g.Update(w, g.Sub(w, g.Scale(gradients[0], 0.1)))
	p, err := Compile(g, []*graph.Node{loss}, g.Updates(), Options{Threads: 1, CheckNaN: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = p.Set(x, []float32{1, 2, 3})
	for range 2 {
		if err := p.Run(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("loss %.2f, w %.2f\n", p.Value(loss)[0], p.Parameter("w"))
	}
	// Output:
	// loss 6.00, w [0.80 0.60 0.40]
	// loss 1.84, w [0.64 0.36 0.16]
}

// run compiles and runs a graph without inputs or updates.
func run(t *testing.T, g *graph.Graph, outputs ...*graph.Node) [][]float32 {
	t.Helper()
	p, err := Compile(g, outputs, nil, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	var values [][]float32
	for _, n := range outputs {
		values = append(values, p.Value(n))
	}
	return values
}

// TestTies pins the gradients at ties, which are PyTorch's: relu, amax, max_pool2d.
func TestTies(t *testing.T) {
	for _, c := range []struct {
		name  string
		x     []float32
		shape []int
		f     func(g *graph.Graph, x *graph.Node) *graph.Node
		want  []float32
	}{
		{"relu at 0", []float32{-1, 0, 1}, []int{3}, (*graph.Graph).Relu, []float32{0, 0, 1}},
		{"max spreads evenly", []float32{2, 1, 2, 2}, []int{4},
			func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Scale(g.Max(x), 3) }, []float32{1, 0, 1, 1}},
		{"max pool takes the first", []float32{1, 1, 0, 1, 1, 1, 0, 0}, []int{1, 1, 2, 4},
			func(g *graph.Graph, x *graph.Node) *graph.Node { return g.MaxPool(x, graph.Pool2(2)) },
			[]float32{1, 0, 0, 1, 0, 0, 0, 0}},
		{"equal operands are not greater", []float32{1, 2}, []int{2},
			func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Where(g.Greater(x, x), x, g.Scale(x, 5)) }, []float32{5, 5}},
	} {
		g := graph.New()
		x := g.Parameter("x", c.x, c.shape...)
		d, err := graph.Gradient(g.Sum(c.f(g, x)), []*graph.Node{x})
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, g, d[0])[0]; !slices.Equal(got, c.want) {
			t.Errorf("%s: wanted %v, got %v", c.name, c.want, got)
		}
		got := reference(t, g, nil, d[0])
		close(t, c.name+" in the reference", got[0], widen(c.want), 0)
	}
}

// TestDropout checks share, scale, gradient, and that bits depend on seed and step but not on threads.
func TestDropout(t *testing.T) {
	const n, p = 100_003, 0.3
	bits := map[string][]float32{}
	for _, c := range []struct {
		name    string
		seed    uint64
		step    float32
		threads int
	}{{"one", 1, 5, 1}, {"threads", 1, 5, 3}, {"step", 1, 6, 1}, {"seed", 2, 5, 1}} {
		g := graph.New()
		ones := make([]float32, n)
		fill(ones, 1)
		x, step := g.Parameter("x", ones, n), g.Input("step")
		y := g.Dropout(x, step, p, c.seed)
		d, err := graph.Gradient(g.Sum(g.Scale(y, 2)), []*graph.Node{x})
		if err != nil {
			t.Fatal(err)
		}
		prog, err := Compile(g, []*graph.Node{y, d[0]}, nil, Options{Threads: c.threads})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(prog.Set(step, []float32{c.step}), prog.Run(context.Background())); err != nil {
			t.Fatal(err)
		}
		bits[c.name] = prog.Value(y)
		checkMask(t, prog.Value(y), prog.Value(d[0]), p)
		want := reference(t, g, map[*graph.Node][]float64{step: {float64(c.step)}}, y)
		close(t, "reference", widen(prog.Value(y)), want[0], 1e-6)
	}
	if !slices.Equal(bits["one"], bits["threads"]) {
		t.Error("the number of threads changes the bits")
	}
	if slices.Equal(bits["one"], bits["step"]) || slices.Equal(bits["one"], bits["seed"]) {
		t.Error("step or seed does not change the bits")
	}
}

func checkMask(t *testing.T, y, d []float32, p float64) {
	t.Helper()
	kept := 0.0
	for i, v := range y {
		if v != 0 && !(math.Abs(float64(v)-1/(1-p)) < 1e-6) {
			t.Fatalf("element %d: wanted 0 or %v, got %v", i, 1/(1-p), v)
		}
		if !(d[i] == 2*v) {
			t.Fatalf("element %d: the gradient is %v for %v", i, d[i], v)
		}
		if v != 0 {
			kept++
		}
	}
	n := float64(len(y))
	if !(math.Abs(kept/n-(1-p)) < 4*math.Sqrt(p*(1-p)/n)) {
		t.Errorf("wanted a share of %v kept, got %v", 1-p, kept/n)
	}
}

// TestSameBits trains twice and compares every parameter.
func TestSameBits(t *testing.T) {
	for _, threads := range []int{1, 2, 3} {
		var first []float32
		for range 2 {
			p := studyCNN(t, 20, Options{Threads: threads})
			for range 5 {
				if err := p.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			var all []float32
			for _, n := range p.graph.Parameters(true) {
				all = append(all, p.Value(n)...)
			}
			if first == nil {
				first = all
			} else if !slices.Equal(first, all) {
				t.Errorf("%d threads: two runs differ", threads)
			}
		}
	}
}

// TestNothingAllocated wants training steps to leave the heap alone.
func TestNothingAllocated(t *testing.T) {
	if raceDetector {
		t.Skip("allocations are not counted under the race detector")
	}
	for _, threads := range []int{1, 2} {
		for name, p := range map[string]*Program{
			"cnn":   studyCNN(t, 32, Options{Threads: threads, CheckNaN: true}),
			"block": trainedBlock(t, threads),
		} {
			ctx := context.Background()
			allocated := testing.AllocsPerRun(20, func() {
				if err := p.Run(ctx); err != nil {
					t.Fatal(err)
				}
			})
			if allocated > 0 {
				t.Errorf("%s, %d threads: %v allocations a step", name, threads, allocated)
			}
		}
	}
}

func trainedBlock(t testing.TB, threads int) *Program {
	m := newModel(t, "block")
	p := m.training(t, graph.Adam{WeightDecay: 0.01, Decoupled: true}, Options{Threads: threads, CheckNaN: true})
	m.set(t, p, 1e-4)
	return p
}
