package gosession

import (
	"context"
	"math"
	"slices"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/session"
)

// checkedMACs is about what a block of a ViT-B/16 costs on one image, with what comes before it.
const checkedMACs = 1_650_000_000

// Check compares this engine with the plainest loops in float64 on the first part of a model, a block or more, for some of
// its outputs, nil for all: the largest ‖a−b‖/‖b‖ of the values where that part ends, and that value's name. It is for
// where no other engine can be had. in is the model's input.
func Check(ctx context.Context, m *onnx.Model, in session.Tensor, outputs []string) (distance float64, at string, err error) {
	g, ends, err := firstPart(m, in, outputs)
	if err != nil {
		return 0, "", err
	}
	p, err := engine.Compile(g, ends, nil, engine.Options{Weights: engine.NewWeights()})
	if err == nil {
		err = p.Run(ctx)
	}
	if err != nil {
		return 0, "", err
	}
	want, err := graph.EvaluateAll(ends)
	if err != nil {
		return 0, "", err
	}
	for i, n := range ends {
		if d := apart(p.Value(n), want[i]); !(d <= distance) || at == "" {
			distance, at = d, n.Name()
		}
	}
	return distance, at, nil
}

// apart is ‖a−b‖/‖b‖, 0 of equal ones.
func apart(a []float32, b []float64) float64 {
	var d, size float64
	for i, v := range a {
		d += (float64(v) - b[i]) * (float64(v) - b[i])
		size += b[i] * b[i]
	}
	if d == 0 {
		return 0
	}
	return math.Sqrt(d / size)
}

// firstPart raises the model with its input as a constant, and finds the nodes that end the part.
func firstPart(m *onnx.Model, in session.Tensor, outputs []string) (*graph.Graph, []*graph.Node, error) {
	shape, size := make([]int, len(in.Shape)), 1
	for i, d := range in.Shape {
		shape[i] = int(d)
		size *= int(d)
	}
	x, wide := make([]float32, size), make([]float64, size)
	fill(x, in.Data)
	for i, v := range x {
		wide[i] = float64(v)
	}
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{in.Name: shape}, Outputs: outputs, Wrap: func(name string, n *graph.Node) *graph.Node {
		if name == in.Name {
			return g.Constant(wide, shape...)
		}
		return n
	}})
	if err != nil {
		return nil, nil, err
	}
	return g, ends(g, part.Outputs), nil
}

// ends are the nodes of the part that nothing of the part reads.
func ends(g *graph.Graph, outputs []*graph.Node) (out []*graph.Node) {
	macs, read := 0, map[*graph.Node]bool{}
	var part []*graph.Node
	for _, n := range needed(g, outputs) {
		if macs += graph.MACs(n); macs > checkedMACs && len(part) > 0 {
			break
		}
		for _, x := range n.Inputs() {
			read[x] = true
		}
		if n.Type() == graph.Float && len(n.Inputs()) > 0 {
			part = append(part, n)
		}
	}
	for _, n := range part {
		if !read[n] {
			out = append(out, n)
		}
	}
	return out
}

// needed lists the nodes that the outputs need, operands first.
func needed(g *graph.Graph, outputs []*graph.Node) (out []*graph.Node) {
	want := map[*graph.Node]bool{}
	for _, n := range outputs {
		want[n] = true
	}
	for _, n := range slices.Backward(g.Nodes()) {
		if !want[n] {
			continue
		}
		out = append(out, n)
		for _, x := range n.Inputs() {
			want[x] = true
		}
	}
	slices.Reverse(out)
	return out
}
