package nets

import (
	"math"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
)

// linearModel is x [N,3] times a matrix [3,2], or [2,3] in a Gemm that turns it, without a bias, and a Relu behind.
func linearModel(turned bool) *onnx.Model {
	m := &onnx.Model{Name: "test", Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	v := []float32{1, -2, 3, 0.5, -1, 2}
	var y string
	if turned {
		y = b.Op("Gemm", "y", []string{x, b.Float32s("w", v, 2, 3)}, onnx.Attr{Name: "transB", Value: int64(1)})
	} else {
		y = b.Op("MatMul", "y", []string{x, b.Float32s("w", v, 3, 2)})
	}
	b.Output("z", b.Op("Relu", "z", []string{y}), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
	return m
}

// TestFold wants adapters folded into a layer without a bias to compute what they compute beside it: a shift becomes one Add.
func TestFold(t *testing.T) {
	for _, turned := range []bool{false, true} {
		shape := []int{3, 2}
		if turned {
			shape = []int{2, 3}
		}
		layer := Linear{Product: "y", Output: "y", Weight: "w", Shape: shape, Turned: turned}
		for _, a := range []Adapter{{Kind: AdapterScale, Linear: layer}, {Kind: AdapterLoRA, Linear: layer, Rank: 2}} {
			if err := a.check(); err != nil {
				t.Fatal(err)
			}
			values := map[string][]float32{}
			for i, w := range a.weights(1) {
				for j := range w.Size() {
					values[w.Name] = append(values[w.Name], float32(j+1)/4-float32(i)/3)
				}
			}
			m := linearModel(turned)
			want := runModel(t, m, func(g *graph.Graph) func(string, *graph.Node) *graph.Node {
				for _, w := range a.weights(1) {
					g.Parameter(w.Name, values[w.Name], w.Shape...)
				}
				return func(name string, x *graph.Node) *graph.Node { return a.wrap(g, name, x, g.Lookup) }
			})
			nodes := len(m.Nodes)
			if err := a.Fold(m, values); err != nil {
				t.Fatal(err)
			}
			if err := m.Validate(); err != nil {
				t.Fatal(err)
			}
			if more := len(m.Nodes) - nodes; more != map[string]int{AdapterScale: 1}[a.Kind] {
				t.Errorf("%s: %d nodes more", a.Kind, more)
			}
			got := runModel(t, m, nil)
			for i := range want {
				if !(math.Abs(float64(got[i]-want[i])) < 1e-5) {
					t.Errorf("%s, turned %v: %v folded, %v beside", a.Kind, turned, got, want)
				}
			}
		}
	}
	a := Adapter{Kind: AdapterScale, Linear: Linear{Output: "y", Weight: "other", Shape: []int{3, 2}}}
	if err := a.Fold(linearModel(false), nil); err == nil {
		t.Error("a weight that is not there is folded into")
	}
}

func runModel(t *testing.T, m *onnx.Model, wrap func(g *graph.Graph) func(string, *graph.Node) *graph.Node) []float32 {
	t.Helper()
	g := graph.New()
	o := raise.Options{Inputs: map[string][]int{"x": {2, 3}}, Trainable: func(string) bool { return false }}
	if wrap != nil {
		o.Wrap = wrap(g)
	}
	part, err := raise.Nodes(g, m, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(g, part.Outputs, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	copy(p.Value(part.Inputs["x"]), []float32{1, 2, 3, -1, 0.5, 2})
	run(t, p)
	return p.Value(part.Outputs[0])
}

// TestDropPath wants a branch to be left out whole of some images' ways, and to be doubled in the others' at a rate of a half.
func TestDropPath(t *testing.T) {
	const n = 64
	g := graph.New()
	x, step := g.Input("x", n, 3, 2), g.Input("step")
	p := pass{g, g.Lookup, Mode{Train: true, Step: step, Seed: 1}}
	list := []Residual{{"branch", 0.5}}
	y := p.dropPath(list, "branch", x)
	if other := p.dropPath(list, "other", x); other != x {
		t.Error("another tensor is dropped")
	}
	p.mode.Train = false
	if judged := p.dropPath(list, "branch", x); judged != x {
		t.Error("a branch is dropped where nothing is trained")
	}
	program, err := engine.Compile(g, []*graph.Node{y}, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range program.Value(x) {
		program.Value(x)[i] = float32(i + 1)
	}
	run(t, program)
	left := 0
	for i, v := range program.Value(y) {
		image := i / 6
		if first := program.Value(y)[image*6] / float32(image*6+1); v != first*float32(i+1) || first != 0 && first != 2 {
			t.Fatalf("image %d, value %d: %g of %d", image, i%6, v, i+1)
		}
		if i%6 == 0 && v == 0 {
			left++
		}
	}
	if left < n/4 || left > n*3/4 {
		t.Errorf("left out in %d of %d images", left, n)
	}
}
