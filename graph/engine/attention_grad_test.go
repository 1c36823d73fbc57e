package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
)

// TestAttentionGradients compares gradients with the plainest loops, for attentions in the ways of exporters, and wants no
// value of the size of all heads' weights, unless they are wanted themselves.
func TestAttentionGradients(t *testing.T) {
	for name, c := range attentions {
		for _, size := range [][3]int{{1, 1, 12}, {3, 17, 48}, {2, 225, 24}} {
			g := graph.New()
			x := g.Input("x", size[:]...)
			y := c.build(g, g.Add(x, g.Scalar(0.125)))
			loss := g.Sum(g.Mul(y, g.Input("dy", y.Shape()...)))
			gradients, err := graph.Gradient(loss, []*graph.Node{x})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range checkGradient(t, fmt.Sprint(name, size), g, gradients[0]) {
				for n := range p.roots {
					s := n.Shape()
					if c.units > 0 && size[1] > 30 && len(s) > 2 && s[len(s)-1] == size[1] && s[len(s)-2] == size[1] && p.written(n) {
						t.Errorf("%s %v: %v is kept whole", name, size, n)
					}
				}
			}
		}
	}
}

// checkGradient compares programs' values, on one thread and on three, with the reference's for random inputs.
func checkGradient(t *testing.T, what string, g *graph.Graph, wanted *graph.Node) (programs []*Program) {
	t.Helper()
	inputs, source := map[*graph.Node][]float64{}, rand.New(rand.NewPCG(3, 5))
	for _, n := range g.Nodes() {
		if n.Op() == graph.OpInput {
			for range n.Shape().Size() {
				inputs[n] = append(inputs[n], float64(float32(source.NormFloat64())))
			}
		}
	}
	want := reference(t, g, inputs, wanted)[0]
	for _, threads := range []int{1, 3} {
		p, err := Compile(g, []*graph.Node{wanted}, nil, Options{Threads: threads})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for n, values := range inputs {
			for i, v := range values {
				p.Value(n)[i] = float32(v)
			}
		}
		for range 2 { // the second finds what the first has left
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			close(t, what, widen(p.Value(wanted)), want, 2e-5)
		}
		programs = append(programs, p)
	}
	return programs
}

// written tells whether a program computes a node's value as a whole.
func (p *Program) written(n *graph.Node) bool {
	for _, s := range p.steps {
		if s.node == n {
			return true
		}
	}
	return false
}
