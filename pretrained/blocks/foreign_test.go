package blocks_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
	"graft/pretrained/blocks"
	"graft/pretrained/foreigntest"
)

// foreign are the networks of graph/raise's fixtures by name, with how many blocks they have, and how many branches of
// residual sums these.
var foreign = map[string]struct{ blocks, residuals int }{
	"resnet_basic": {5, 5}, "resnet_bottleneck": {5, 5}, "resnet_timm": {6, 6}, "mobilenet_v2": {6, 3}, "mobilenet_v3": {4, 2},
	"efficientnet": {5, 3}, "efficientnet_lite": {5, 3}, "efficientnet_same": {5, 3}, "convnext": {3, 3}, "convnext_timm": {5, 5},
	"vit": {3, 6}, "vit_timm": {3, 6}, "deit": {3, 6}, "dinov2": {3, 6}, "dinov2_swiglu": {3, 6}, "swin": {3, 6}, "swin_timm": {3, 6},
	"forms": {6, 12},
}

// TestForeign: the blocks of torchvision's and timm's networks are told, whichever exporter wrote them, and what lies
// behind each cut gives the network's output without a weight from before it.
func TestForeign(t *testing.T) {
	foreigntest.Each(t, filepath.Join("..", "..", "graph", "raise", "testdata"), func(t *testing.T, n foreigntest.Network) {
		cuts, err := blocks.Find(n.Model, foreigntest.Shape)
		if err != nil {
			t.Fatal(err)
		}
		want, residuals := foreign[n.Name], 0
		for _, c := range cuts {
			residuals += len(c.Residuals)
		}
		if len(cuts) != want.blocks+1 || residuals != want.residuals {
			t.Errorf("%d blocks with %d residual branches, want %+v: %+v", len(cuts)-1, residuals, want, cuts)
		}
		behind(t, n.Model, cuts, n.Pixels)
	})
}

// behind runs the network in two halves at each cut.
func behind(t *testing.T, m *onnx.Model, cuts []blocks.Cut, pixels []float32) {
	t.Helper()
	output := m.Outputs[0].Name
	names := []string{output}
	for _, c := range cuts {
		names = append(names, c.Tensor)
	}
	whole, _, err := run(m, map[string][]int{"pixels": foreigntest.Shape}, [][]float32{pixels}, names)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cuts {
		got, parameters, err := run(m, map[string][]int{c.Tensor: c.Shape}, whole[i+1:i+2], []string{output})
		if err != nil {
			t.Errorf("behind %v: %v", c, err)
			continue
		}
		if d := distance(got[0], whole[0]); !(d <= 1e-5) {
			t.Errorf("behind %v: %.2g away from the whole network's output", c, d)
		}
		if parameters != c.Parameters {
			t.Errorf("behind %v: %d parameters were raised", c, parameters)
		}
	}
}

// run raises a part that begins at one tensor, runs it, and counts its parameters.
func run(m *onnx.Model, inputs map[string][]int, values [][]float32, outputs []string) (out [][]float32, parameters int64, err error) {
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: inputs, Outputs: outputs})
	if err != nil {
		return nil, 0, err
	}
	p, err := engine.Compile(g, part.Outputs, nil, engine.Options{})
	if err != nil {
		return nil, 0, err
	}
	for name := range inputs {
		if err := p.Set(part.Inputs[name], values[0]); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := p.Run(context.Background()); err != nil {
		return nil, 0, err
	}
	for _, n := range part.Outputs {
		out = append(out, slices.Clone(p.Value(n)))
	}
	for _, n := range g.Parameters(false) {
		parameters += int64(n.Shape().Size())
	}
	return out, parameters, nil
}

// distance is ‖a−b‖/‖b‖.
func distance(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	var d, s float64
	for i := range b {
		d += math.Pow(float64(a[i])-float64(b[i]), 2)
		s += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / s)
}
