package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
	"graft/graph/engine/vec"
)

// TestWindows compares kernels of all sizes and layouts, forward and backward, with the operations' rows.
func TestWindows(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	pair := func(n int) [2]int { return [2]int{random.IntN(n), random.IntN(n)} }
	for i := range 150 {
		images, groups := []int{1, 3, 17}[random.IntN(3)], 1+random.IntN(3)*random.IntN(4)
		size, kernel := [2]int{3 + random.IntN(20), 3 + random.IntN(20)}, [2]int{1 + random.IntN(3), 1 + random.IntN(3)}
		a := graph.ConvAttrs{Pad: pair(3), Extra: pair(2), Groups: groups, Dilation: [2]int{1 + random.IntN(2), 1}, Stride: [2]int{1 + random.IntN(3), 1 + random.IntN(3)}}
		g := graph.New()
		x := g.Input("x", images, groups*(1+random.IntN(7)), size[0], size[1])
		w := g.Input("w", groups*(1+random.IntN(9)), x.Dim(1)/groups, kernel[0], kernel[1])
		b := g.Input("b", w.Dim(0))
		y := g.Conv(x, w, b, a)
		pool := graph.PoolAttrs{Kernel: kernel, Stride: a.Stride, Dilation: a.Dilation}
		for i := range pool.Pad {
			pool.Pad[i] = a.Pad[i] % ((kernel[i] + 1) / 2)
		}
		most, average := g.MaxPool(x, pool), g.AveragePool(x, pool)
		if g.Err() != nil {
			continue // the window does not fit
		}
		t.Run(fmt.Sprintf("%d: %v %v %+v %+v", i, x.Shape(), w.Shape(), a, pool), func(t *testing.T) {
			checkWindows(t, random, g, []*graph.Node{x, w, b}, y, most, average)
		})
	}
}

// TestPointwise: few and many images through kernels of one element, which are products where images are large.
func TestPointwise(t *testing.T) {
	for _, shape := range []graph.Shape{{3, 34, 24, 24}, {17, 34, 24, 24}, {3, 5, 3, 4}, {17, 5, 3, 4}} {
		g := graph.New()
		x, w := g.Input("x", shape...), g.Input("w", 36, shape[1], 1, 1)
		if large := shape[1:].Size()*vec.Lanes > largeBlock; large != (shape[1] == 34) {
			t.Fatalf("%v large: %t", shape, large)
		}
		checkWindows(t, rand.New(rand.NewPCG(1, 2)), g, []*graph.Node{x, w}, g.Conv(x, w, nil, graph.ConvAttrs{}))
	}
}

// checkWindows compares values, and the gradients of the sum of their squares.
func checkWindows(t *testing.T, random *rand.Rand, g *graph.Graph, in []*graph.Node, outputs ...*graph.Node) {
	loss := g.Scalar(0)
	for _, y := range outputs {
		loss = g.Add(loss, g.Mean(g.Mul(y, y)))
	}
	gradients, err := graph.Gradient(loss, in)
	if err != nil {
		t.Fatal(err)
	}
	outputs = append(outputs, gradients...)
	p, err := Compile(g, outputs, nil, Options{Threads: 1 + random.IntN(3)})
	if err != nil {
		t.Fatal(err)
	}
	values := map[*graph.Node][]float64{}
	for _, n := range in {
		v := make([]float32, n.Shape().Size())
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		values[n] = widen(v)
		if err := p.Set(n, v); err != nil {
			t.Fatal(err)
		}
	}
	want := reference(t, g, values, outputs...)
	for range 2 {
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, n := range outputs {
			close(t, n.String(), widen(p.Value(n)), want[i], 1e-5)
		}
	}
}
