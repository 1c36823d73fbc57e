package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"graft/graph"
)

// TestEqualNodesAreMerged wants one computation for two equal expressions, and reshapes to cost nothing.
func TestEqualNodesAreMerged(t *testing.T) {
	g := graph.New()
	x := g.Input("x", 4, 4)
	a, b := g.Exp(g.MatMul(x, x)), g.Reshape(g.Exp(g.MatMul(x, x)), 16)
	p, err := Compile(g, []*graph.Node{a, b}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.steps) != 2 {
		t.Errorf("wanted 2 steps, got %d", len(p.steps))
	}
	if p.Tensor(b) == nil || p.Tensor(b).Shape()[0] != 16 {
		t.Errorf("the reshaped output is %v", p.Tensor(b))
	}
}

// TestArena wants values that never meet to share memory, and never those that do.
func TestArena(t *testing.T) {
	var a arena
	x, y := a.take(100), a.take(50)
	a.give(x, 100)
	if z := a.take(90); z != x {
		t.Errorf("wanted the place at %d again, got %d", x, z)
	}
	a.give(y, 50)
	a.give(x, 90)
	if w := a.take(160); w != x || a.size > 176 {
		t.Errorf("wanted joined free ranges at %d, got %d of %d", x, w, a.size)
	}
}

// TestOperandTwice: memory of a value that is an operand several times is free once, not as often, when it was read for the
// last time.
func TestOperandTwice(t *testing.T) {
	g := graph.New()
	x := g.Input("x", 4, 4)
	made := g.MatMul(x, x)
	three := g.Concat(1, made, made, made)
	left, right := g.Pad(g.Slice(three, 1, 0, 3), []int{0, 0}, []int{0, 1}), g.Pad(g.Slice(three, 1, 5, 8), []int{0, 1}, []int{0, 0})
	y := g.MatMul(left, right)
	p, err := Compile(g, []*graph.Node{y}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	values := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}
	if err := errors.Join(p.Set(x, values), p.Run(t.Context())); err != nil {
		t.Fatal(err)
	}
	close(t, "y", widen(p.Tensor(y).Data().([]float32)), reference(t, g, map[*graph.Node][]float64{x: widen(values)}, y)[0], 1e-5)
}

// TestCrossEntropyPadding wants rows of zeros to count for nothing, and votes to weigh rows.
func TestCrossEntropyPadding(t *testing.T) {
	logits := []float64{1, 2, 0.5, -1, 0, 3, 9, 9, 9}
	for _, o := range []graph.CrossEntropyOptions{{}, {Smoothing: 0.2}} {
		g := graph.New()
		short := g.CrossEntropy(g.Constant(logits[:6], 2, 3), g.Constant([]float64{0, 1, 0, 1, 0, 0}, 2, 3), o)
		padded := g.CrossEntropy(g.Constant(logits, 3, 3), g.Constant([]float64{0, 1, 0, 1, 0, 0, 0, 0, 0}, 3, 3), o)
		votes := g.CrossEntropy(g.Constant(logits, 3, 3), g.Constant([]float64{0, 10, 0, 10, 0, 0, 0, 0, 0}, 3, 3), o)
		v := run(t, g, short, padded, votes)
		if !(v[0][0] > 0.5) || !(math.Abs(float64(v[1][0]-v[0][0])) < 1e-6) || !(math.Abs(float64(v[2][0]-v[0][0])) < 1e-6) {
			t.Errorf("smoothing %v: losses %v, %v and %v differ", o.Smoothing, v[0], v[1], v[2])
		}
	}
}

// TestClipNorm compares with the definition, below and above the limit.
func TestClipNorm(t *testing.T) {
	for _, c := range []struct{ limit, scale float64 }{{10, 1}, {2.5, 0.5}} {
		g := graph.New()
		a, b := g.Constant([]float64{3, 0}, 2), g.Constant([]float64{4}, 1)
		clipped, norm := g.ClipNorm([]*graph.Node{a, b}, c.limit)
		v := run(t, g, norm, clipped[0], clipped[1])
		close(t, "norm", widen(v[0]), []float64{5}, 1e-6)
		close(t, "a", widen(v[1]), []float64{3 * c.scale, 0}, 1e-5)
		close(t, "b", widen(v[2]), []float64{4 * c.scale}, 1e-5)
	}
}

// TestOwnDecay wants only the chosen parameters to decay.
func TestOwnDecay(t *testing.T) {
	for _, o := range []graph.Optimizer{
		graph.SGD{WeightDecay: 0.5, Decay: func(p *graph.Node) bool { return p.Name() == "a" }},
		graph.Adam{WeightDecay: 0.5, Decoupled: true, Decay: func(p *graph.Node) bool { return p.Name() == "a" }},
	} {
		g := graph.New()
		a, b, zero := g.Parameter("a", []float32{2}, 1), g.Parameter("b", []float32{2}, 1), g.Constant([]float64{0}, 1)
		if err := o.Apply(g, []*graph.Node{a, b}, []*graph.Node{zero, zero}, g.Scalar(0.1)); err != nil {
			t.Fatal(err)
		}
		p, err := Compile(g, nil, g.Updates(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		close(t, "a", widen(p.Parameter("a")), []float64{1.9}, 1e-6)
		close(t, "b", widen(p.Parameter("b")), []float64{2}, 1e-6)
	}
}

// deep is a transformer of so many blocks, with loss and Adam.
func deep(t testing.TB, depth int) (*graph.Graph, *graph.Node) {
	g := benchmarked{graph.New(), rand.New(rand.NewPCG(1, 1))}
	const n, tokens, d, heads = 8, 17, 64, 4
	h := g.Input("x", n, tokens, d)
	for i := range depth {
		end := g.Scope(fmt.Sprint("block", i))
		name := func(s string) string { return fmt.Sprint(s, i) }
		norm := func(x *graph.Node, s string) *graph.Node {
			return g.LayerNorm(x, g.weights(name(s+".weight"), 1, d), g.weights(name(s+".bias"), 1, d), 1e-6)
		}
		x := norm(h, "norm1")
		part := func(s string) *graph.Node {
			return g.Transpose(g.Reshape(g.full(x, name(s), d, d), n, tokens, heads, d/heads), 0, 2, 1, 3)
		}
		a := g.Transpose(g.Attention(part("q"), part("k"), part("v"), nil), 0, 2, 1, 3)
		h = g.Add(h, g.full(g.Reshape(a, n, tokens, d), name("out"), d, d))
		h = g.Add(h, g.full(g.Gelu(g.full(norm(h, "norm2"), name("mlp1"), d, 4*d)), name("mlp2"), 4*d, d))
		end()
	}
	loss := g.Mean(g.Mul(h, h))
	gradients, err := graph.Gradient(loss, g.Parameters(false))
	if err != nil {
		t.Fatal(err)
	}
	if err := (graph.Adam{WeightDecay: 0.1, Decoupled: true}).Apply(g.Graph, g.Parameters(false), gradients, g.Scalar(1e-3)); err != nil {
		t.Fatal(err)
	}
	return g.Graph, loss
}

// TestDeepModel wants memory to be shared, and the loss to fall.
func TestDeepModel(t *testing.T) {
	g, loss := deep(t, 6)
	before := heap()
	p, err := Compile(g, []*graph.Node{loss}, g.Updates(), Options{Threads: 2, CheckNaN: true})
	if err != nil {
		t.Fatal(err)
	}
	taken, every := heap()-before, 0
	for _, n := range g.Nodes() {
		every += 4 * n.Shape().Size()
	}
	if taken > every/2 {
		t.Errorf("wanted less than half of the %d bytes of all values, got %d", every, taken)
	}
	var losses []float32
	for range 5 {
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, p.Value(loss)[0])
	}
	if !(losses[4] < losses[0]) {
		t.Errorf("losses %v do not fall", losses)
	}
}

// heap is the number of bytes in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestMixedLayouts joins operations of both layouts in every order, with a batch that does not fill its block, and
// compares with the reference.
func TestMixedLayouts(t *testing.T) {
	for name, build := range map[string]func(g benchmarked, x, w *graph.Node) *graph.Node{
		"norm before conv": func(g benchmarked, x, w *graph.Node) *graph.Node {
			one := g.Constant([]float64{1, 2}, 2)
			x = g.BatchNorm(x, one, one, one, one, 1e-5)
			return g.Add(g.Sum(g.Conv(x, w, nil, graph.ConvAttrs{})), g.Sum(g.Mul(x, x)))
		},
		"conv read in both layouts": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Conv(x, w, nil, graph.ConvAttrs{Pad: [2]int{1, 1}})
			return g.Sum(g.Mul(g.Transpose(g.Relu(y), 0, 1, 3, 2), g.Transpose(y, 0, 1, 3, 2)))
		},
		"plain operand of an interleaved fused unit": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Conv(x, w, nil, graph.ConvAttrs{Pad: [2]int{1, 1}})
			return g.Sum(g.Exp(g.Scale(g.Mul(g.Add(y, x), x), 0.1)))
		},
		"operand that varies over images": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Conv(x, w, nil, graph.ConvAttrs{})
			return g.Sum(g.Mul(g.Mul(y, y), g.MeanKeep(x, 1, 2, 3)))
		},
		"operand per channel, row and place": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Conv(x, w, nil, graph.ConvAttrs{Pad: [2]int{1, 1}})
			y = g.Mul(y, g.weights("channel", 1, 2, 1, 1))
			return g.Sum(g.Mul(g.Mul(y, g.weights("row", 1, 5, 1)), g.weights("place", 1, 1, 2, 5, 6)))
		},
		"lanes past the last image": func(g benchmarked, x, w *graph.Node) *graph.Node {
			a := graph.ConvAttrs{Pad: [2]int{1, 1}}
			y := g.Exp(g.Scale(g.Conv(x, w, g.weights("bias", 1, 2), a), 0.1)) // not 0 there, nor is the gradient
			return g.Mean(g.Exp(g.Scale(g.Conv(y, w, nil, a), 0.1)))
		},
		"gelu of one element": func(g benchmarked, x, w *graph.Node) *graph.Node {
			one := g.Slice(g.Slice(g.Slice(g.Slice(x, 0, 0, 1), 1, 0, 1), 2, 0, 3), 3, 0, 3)
			y := g.Gelu(g.Conv(one, g.Slice(g.Slice(w, 0, 0, 1), 1, 0, 1), nil, graph.ConvAttrs{}))
			return g.Add(g.Sum(g.Mul(y, y)), g.Scale(g.Add(g.Sum(x), g.Sum(w)), 0.01))
		},
		"reshaped between": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Relu(g.Conv(x, w, nil, graph.ConvAttrs{Pad: [2]int{1, 1}}))
			y = g.Reshape(y, 19, 2, 6, 5)
			return g.Sum(g.Exp(g.Scale(g.MaxPool(g.Add(y, y), graph.Pool2(2)), 0.1)))
		},
		"statistics of reshaped images": func(g benchmarked, x, w *graph.Node) *graph.Node {
			y := g.Reshape(g.Conv(x, w, nil, graph.ConvAttrs{Pad: [2]int{1, 1}}), 38, 1, 5, 6)
			m := g.Mean(y, 0, 2, 3)
			return g.Sum(g.Mul(m, m))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := benchmarked{graph.New(), rand.New(rand.NewPCG(5, 6))}
			x, w := g.weights("x", 1, 19, 2, 5, 6), g.weights("w", 0.5, 2, 2, 3, 3)
			loss := build(g, x, w)
			wrt := g.Parameters(false)
			d, err := graph.Gradient(loss, wrt)
			if err != nil {
				t.Fatal(err)
			}
			outputs := append([]*graph.Node{loss}, d...)
			want := reference(t, g.Graph, nil, outputs...)
			for _, threads := range []int{1, 2, 4} {
				p, err := Compile(g.Graph, outputs, nil, Options{Threads: threads, CheckNaN: true})
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := p.Run(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				for i, n := range outputs {
					close(t, n.String(), widen(p.Value(n)), want[i], 1e-4)
				}
			}
		})
	}
}
