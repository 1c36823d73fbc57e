package tune_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/onnx/tune"
)

const (
	tokens = 5
	width  = 8
)

// network builds small graphs over x, float32 [N,5,8], with random weights.
type network struct {
	*onnx.Builder
	rng *rand.Rand
}

func newNetwork() *network {
	n := &network{onnx.NewBuilder(&onnx.Model{Name: "test", Opset: 18}), rand.New(rand.NewPCG(1, 2))}
	n.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: tokens}, onnx.Dim{Value: width})
	return n
}

func (n *network) weights(name string, dims ...int64) string {
	size, _ := onnx.Elements(dims)
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(n.rng.NormFloat64())
	}
	return n.Float32s(name, v, dims...)
}

func (n *network) dense(x, name string, in, out int64) string {
	return n.Op("Add", name, []string{n.Op("MatMul", name+"_product", []string{x, n.weights(name+"_w", in, out)}), n.weights(name+"_b", out)})
}

// token takes a token of [N,T,D] and makes it the output y.
func (n *network) token(x string, index int64) {
	y := n.Op("Gather", "y", []string{x, n.Const("index", onnx.Int64, nil, onnx.Int64s([]int64{index}))}, onnx.Attr{Name: "axis", Value: 1})
	n.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{})
}

// perceptron is x plus two layers around f.
func (n *network) perceptron(x string, hidden int64, f func(string) string) string {
	return n.Op("Add", "sum", []string{x, n.dense(f(n.dense(x, "fc1", width, hidden)), "fc2", hidden, width)})
}

func (n *network) relu(x string) string { return n.Op("Relu", "relu", []string{x}) }

// tuned returns the model for output y, read from a file and tuned, and what both
// the file and it compute.
func (n *network) tuned(t *testing.T) (m *onnx.Model, want, got []float32) {
	t.Helper()
	orttest.Require(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := n.Model.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := cmp.Or(tune.Outputs(m, []string{"y"}), tune.Strides(m)); err != nil {
		t.Fatal(err)
	}
	o := session.Options{Provider: session.CPU, Threads: 1}
	plain, err := orttest.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := ort.OpenModel(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, n.run(t, plain), n.run(t, fast)
}

func (n *network) run(t *testing.T, s session.Session) []float32 {
	t.Helper()
	defer s.Close()
	x := make([]float32, 2*tokens*width)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	y := make([]float32, 2*width)
	err := s.Run(context.Background(), []session.Tensor{{Name: "x", Shape: []int64{2, tokens, width}, Data: x}},
		[]session.Tensor{{Name: "y", Shape: []int64{2, width}, Data: y}})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func same(t *testing.T, got, want []float32) {
	t.Helper()
	for i := range want {
		if !(math.Abs(float64(got[i]-want[i])) <= 1e-4*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func ops(m *onnx.Model) string {
	var out []string
	for _, n := range m.Nodes {
		out = append(out, n.Op)
	}
	return strings.Join(out, " ")
}

func Example() {
	m := &onnx.Model{Name: "last token", Opset: 18}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 100}, onnx.Dim{Value: 2})
	x = b.Op("MatMul", "product", []string{x, b.Float32s("weights", []float32{1, 2, 3, 4}, 2, 2)})
	x = b.Op("Relu", "hidden", []string{x})
	y := b.Op("Gather", "token", []string{x, b.Int64s("index", 99)}, onnx.Attr{Name: "axis", Value: 1})
	b.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 1}, onnx.Dim{Value: 2})
	fmt.Println(ops(m))
	if err := cmp.Or(tune.Outputs(m, []string{"token"}), tune.Strides(m)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(ops(m))
	// Output:
	// MatMul Relu Gather
	// Gather MatMul Relu Gather
}

// TestRows: of a sequence only the token that is read goes through the layers
// after the last one that mixes tokens.
func TestRows(t *testing.T) {
	for _, index := range []int64{0, 3} {
		n := newNetwork()
		x := n.dense("x", "in", width, width)
		mixed := n.Op("MatMul", "mixed", []string{n.Op("Softmax", "s", []string{n.weights("scores", 2, tokens, tokens)}, onnx.Attr{Name: "axis", Value: -1}), x})
		n.token(n.perceptron(n.Op("Add", "both", []string{x, mixed}), 16, n.relu), index)
		m, want, got := n.tuned(t)
		same(t, got, want)
		// The layer called in is computed whole. A row of the scores is taken, then
		// one of that layer, and y takes what is left.
		if want := "MatMul Add Gather Softmax MatMul Gather Add MatMul Add Relu MatMul Add Add Gather"; ops(m) != want {
			t.Errorf("token %d: %s, want %s", index, ops(m), want)
		}
	}
}

// TestRowsStay: graphs of which every token is needed are left as they are.
func TestRowsStay(t *testing.T) {
	for name, build := range map[string]func(n *network){
		"mean": func(n *network) {
			y := n.Op("ReduceMean", "y", []string{n.perceptron("x", 16, n.relu), n.Int64s("axes", 1)}, onnx.Attr{Name: "keepdims", Value: 0})
			n.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{})
		},
		"two tokens": func(n *network) {
			x := n.perceptron("x", 16, n.relu)
			other := n.Op("Gather", "other", []string{x, n.Const("last", onnx.Int64, nil, onnx.Int64s([]int64{4}))}, onnx.Attr{Name: "axis", Value: 1})
			first := n.Op("Gather", "first", []string{x, n.Const("zero", onnx.Int64, nil, onnx.Int64s([]int64{0}))}, onnx.Attr{Name: "axis", Value: 1})
			y := n.Op("Add", "y", []string{first, other})
			n.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{})
		},
		"sorted": func(n *network) {
			x := n.OpN("TopK", 2, "top", []string{n.perceptron("x", 16, n.relu), n.Int64s("k", tokens)}, onnx.Attr{Name: "axis", Value: 1})
			n.token(x[0], 0)
		},
	} {
		n := newNetwork()
		build(n)
		before := ops(n.Model)
		m, want, got := n.tuned(t)
		same(t, got, want)
		if ops(m) != strings.TrimSpace(before) {
			t.Errorf("%s: became %s, was %s", name, ops(m), before)
		}
	}
}

// TestStrides: hidden layers of 1024 units get sixteen more, where nothing but
// elementwise operators lies before the next weights.
func TestStrides(t *testing.T) {
	gelu := func(n *network, x string) string {
		y := n.Op("Erf", "erf", []string{n.Op("Div", "div", []string{x, n.Float32s("root", []float32{math.Sqrt2})})})
		return n.Op("Mul", "gelu", []string{x, n.Op("Add", "plus", []string{y, n.Float32s("one", []float32{1})})})
	}
	for _, tc := range []struct {
		name   string
		hidden int64
		wide   int // weights that grew
		f      func(n *network, x string) string
	}{
		{"gelu", 1024, 3, gelu},
		{"vector of factors", 1024, 4, func(n *network, x string) string {
			return n.Op("Mul", "scaled", []string{n.weights("factors", 1, 1024), gelu(n, x)})
		}},
		{"another width", 1040, 0, gelu},
		{"division by a vector", 1024, 0, func(n *network, x string) string {
			return n.Op("Div", "divided", []string{x, n.weights("divisors", 1024)})
		}},
		{"division by itself", 1024, 0, func(n *network, x string) string { return n.Op("Div", "divided", []string{x, x}) }},
		{"softmax", 1024, 0, func(n *network, x string) string {
			return n.Op("Softmax", "soft", []string{x}, onnx.Attr{Name: "axis", Value: -1})
		}},
	} {
		n := newNetwork()
		x := n.perceptron("x", tc.hidden, func(x string) string { return tc.f(n, x) })
		y := n.Op("ReduceMean", "y", []string{x, n.Int64s("axes", 1)}, onnx.Attr{Name: "keepdims", Value: 0})
		n.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{})
		m, want, got := n.tuned(t)
		same(t, got, want)
		if grown := strings.Count(ops(m), "Concat"); grown != tc.wide {
			t.Errorf("%s: %d weights grew, want %d", tc.name, grown, tc.wide)
		}
	}
}

func TestOutputs(t *testing.T) {
	n := newNetwork()
	n.token(n.dense("x", "layer", width, width), 0)
	n.Output("layer", "layer", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{}, onnx.Dim{})
	if err := tune.Outputs(n.Model, []string{"nothing"}); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("an output that is not there: %v", err)
	}
	if err := tune.Outputs(n.Model, []string{"layer", "y"}); err != nil {
		t.Fatal(err)
	}
	names := []string{n.Model.Outputs[0].Name, n.Model.Outputs[1].Name}
	if !slices.Equal(names, []string{"layer", "y"}) {
		t.Errorf("outputs %v", names)
	}
}
