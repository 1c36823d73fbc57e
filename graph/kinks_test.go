package graph_test

import (
	"context"
	"fmt"
	"testing"

	"graft/graph"
	"graft/graph/engine"
)

// TestKinks wants PyTorch's (2.15) gradients where functions bend: those of torch.maximum, minimum, clamp, abs,
// nn.functional.leaky_relu, hardsigmoid and hardswish.
func TestKinks(t *testing.T) {
	for name, c := range map[string]struct {
		build func(g *graph.Graph, x []*graph.Node) *graph.Node
		in    [][]float64
		want  [][]float64
	}{
		"maximum": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Maximum(x[0], x[1]) },
			[][]float64{{1, 2, 3}, {1, 3, 2}}, [][]float64{{0.5, 0, 1}, {0.5, 1, 0}}},
		"minimum": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Minimum(x[0], x[1]) },
			[][]float64{{1, 2, 3}, {1, 3, 2}}, [][]float64{{0.5, 1, 0}, {0.5, 0, 1}}},
		"clamp": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Clip(x[0], -1, 2) },
			[][]float64{{-2, -1, 0, 2, 3}}, [][]float64{{0, 0, 1, 0, 0}}},
		"abs": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Abs(x[0]) },
			[][]float64{{-1, 0, 1}}, [][]float64{{-1, 0, 1}}},
		"leaky_relu": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LeakyRelu(x[0], 0.1) },
			[][]float64{{-1, 0, 1}}, [][]float64{{0.1, 0.1, 1}}},
		"hardsigmoid": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.HardSigmoid(x[0], 1.0/6, 0.5) },
			[][]float64{{-4, -3, 0, 3, 4}}, [][]float64{{0, 0, 1.0 / 6, 0, 0}}},
		"hardswish": {func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.HardSwish(x[0]) },
			[][]float64{{-4, -3, 0, 3, 4}}, [][]float64{{0, 0, 0.5, 1, 1}}},
	} {
		g, v := graph.New(), []*graph.Node(nil)
		for _, x := range c.in {
			v = append(v, g.Constant(x, len(x)))
		}
		gradients, err := graph.Gradient(g.Sum(c.build(g, v)), v)
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Compile(g, gradients, nil, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, n := range gradients {
			close(t, fmt.Sprintf("%s, operand %d", name, i), widen(p.Value(n)), c.want[i], 1e-6)
			plain, err := graph.Evaluate(n)
			if err != nil {
				t.Fatal(err)
			}
			close(t, fmt.Sprintf("%s, operand %d, by its row", name, i), plain, c.want[i], 1e-6)
		}
	}
}
