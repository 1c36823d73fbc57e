package precision

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxpb"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// network is what a block's perceptron is, twice: x [N,T,8] through 8→16, an
// activation, 16→8, and then a classifier that stands alone.
type network struct {
	*onnx.Builder
	rng *rand.Rand
}

func newNetwork(opset int64) *network {
	m := &onnx.Model{Name: "test", Opset: opset}
	return &network{onnx.NewBuilder(m), rand.New(rand.NewPCG(1, 1))}
}

func (n *network) weights(name string, scale float64, dims ...int64) string {
	size, _ := onnx.Elements(dims)
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(n.rng.NormFloat64() * scale)
	}
	return n.Float32s(name, v, dims...)
}

func (n *network) linear(x, name string, in, out int64) string {
	x = n.Op("MatMul", name+".product", []string{x, n.weights(name+".weight", 0.4, in, out)})
	return n.Op("Add", name, []string{x, n.weights(name+".bias", 0.3, out)})
}

func (n *network) gelu(x string) string {
	y := n.Op("Erf", x+"_erf", []string{n.Op("Div", x+"_div", []string{x, n.Float32s("root", []float32{math.Sqrt2})})})
	y = n.Op("Mul", x+"_mul", []string{x, n.Op("Add", x+"_add", []string{y, n.Float32s("one", []float32{1})})})
	return n.Op("Mul", x+"_gelu", []string{y, n.Float32s("half", []float32{0.5})})
}

func perceptron(opset int64, activation func(n *network, x string) string) *onnx.Model {
	n := newNetwork(opset)
	x := n.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 8})
	for _, block := range []string{"a", "b"} {
		y := activation(n, n.linear(x, block+".fc1", 8, 16))
		x = n.Op("Add", block+".out", []string{x, n.linear(y, block+".fc2", 16, 8)})
	}
	n.Output("y", x, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 8})
	logits := n.linear(x, "head", 8, 5)
	n.Output("logits", logits, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 5})
	return n.Model
}

func gelu(n *network, x string) string { return n.gelu(x) }

// run gives the features of random inputs, the third token zero and the fourth huge.
func run(t *testing.T, m *onnx.Model) []float32 {
	t.Helper()
	orttest.Require(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(path, session.Options{Provider: session.CPU, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(2, 2))
	x, y, z := make([]float32, 2*3*8), make([]float32, 2*3*8), make([]float32, 2*3*5)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
		switch i / 8 {
		case 2:
			x[i] = 0
		case 3:
			x[i] *= 100
		}
	}
	err = s.Run(t.Context(), []session.Tensor{{Name: "x", Shape: []int64{2, 3, 8}, Data: x}},
		[]session.Tensor{{Name: "y", Shape: []int64{2, 3, 8}, Data: y}, {Name: "logits", Shape: []int64{2, 3, 5}, Data: z}})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// worst is the largest relative error of a token.
func worst(got, want []float32) float64 {
	top := 0.0
	for from := 0; from < len(want); from += 8 {
		apart, size := 0.0, 0.0
		for i := from; i < from+8; i++ {
			apart += math.Pow(float64(got[i]-want[i]), 2)
			size += math.Pow(float64(want[i]), 2)
		}
		top = max(top, math.Sqrt(apart/size))
	}
	return top
}

func TestRewriteKeepsWhatANetworkComputes(t *testing.T) {
	relu := func(n *network, x string) string { return n.Op("Relu", x+"_relu", []string{x}) }
	quick := func(n *network, x string) string {
		y := n.Op("Sigmoid", x+"_sigmoid", []string{n.Op("Mul", x+"_scaled", []string{x, n.Float32s("slope", []float32{1.702})})})
		return n.Op("Mul", x+"_gelu", []string{x, y})
	}
	none := func(_ *network, x string) string { return x }
	for _, c := range []struct {
		name       string
		opset      int64
		activation func(n *network, x string) string
		shifted    bool
	}{
		{"gelu", 18, gelu, true}, {"gelu, old reductions", 13, gelu, true}, {"quick gelu", 18, quick, true},
		{"relu", 18, relu, true}, {"none", 18, none, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := run(t, perceptron(c.opset, c.activation))
			for kind, limit := range map[Kind]float64{Int8: 0.02, Float16: 1e-3} {
				m := perceptron(c.opset, c.activation)
				inputs, outputs := slices.Clone(m.Inputs), slices.Clone(m.Outputs)
				products, err := Rewrite(m, kind)
				if err != nil {
					t.Fatal(err)
				}
				if wanted := map[Kind]int{Int8: 4, Float16: 5}[kind]; products != wanted || m.Metadata["graft.precision"] != string(kind) || m.Metadata["graft.quantization"] == "" {
					t.Errorf("%s: %d products, want %d; metadata %v", kind, products, wanted, m.Metadata)
				}
				if kind == Int8 && Saturates() {
					limit = 0.25
				}
				if got := worst(run(t, m), want); !(got <= limit) || got == 0 {
					t.Errorf("%s: relative error %g, want above 0 and at most %g", kind, got, limit)
				}
				if len(inputs) != len(m.Inputs) || inputs[0].String() != m.Inputs[0].String() || outputs[0].String() != m.Outputs[0].String() {
					t.Errorf("%s: interface changed: %v %v", kind, m.Inputs, m.Outputs)
				}
				if kind == Int8 && hasConstant(m, "shift") != c.shifted {
					t.Errorf("shifted %v, want %v", hasConstant(m, "shift"), c.shifted)
				}
			}
		})
	}
}

func hasConstant(m *onnx.Model, name string) bool {
	return slices.ContainsFunc(m.Initializers, func(t onnx.Tensor) bool { return t.Name == name })
}

// TestInt8Weights: the classifier keeps its float32 weights, and the bytes of
// a rewritten model are the same each time.
func TestInt8Weights(t *testing.T) {
	write := func() (*onnx.Model, []byte) {
		m := perceptron(18, gelu)
		if _, err := Rewrite(m, Int8); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return m, b.Bytes()
	}
	m, first := write()
	if _, again := write(); !bytes.Equal(first, again) {
		t.Error("two rewrites differ")
	}
	types := map[string]onnx.DType{}
	for _, w := range m.Initializers {
		types[w.Name] = w.Type
	}
	if types["head.weight"] != onnx.Float32 || types["head.bias"] != onnx.Float32 {
		t.Error("the classifier was changed")
	}
	if types["a.fc1.weight_int8"] != onnx.Int8 || types["b.fc2.weight_int8"] != onnx.Int8 {
		t.Errorf("linear layers: %v", types)
	}
	if _, there := types["a.fc1.weight"]; there {
		t.Error("float32 weights are still in the model")
	}
}

func TestRewriteRefuses(t *testing.T) {
	lone := newNetwork(18)
	x := lone.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 8})
	lone.Output("y", lone.linear(x, "only", 8, 8), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 8})
	branch := perceptron(18, gelu)
	branch.Nodes = append(branch.Nodes, onnx.Node{Op: "If", Name: "choice", Inputs: []string{"x"}, Outputs: []string{"z"},
		Attrs: []onnx.Attr{{Name: "then_branch", Value: &onnxpb.AttributeProto{G: &onnxpb.GraphProto{}}}}})
	done := perceptron(18, gelu)
	done.Metadata = map[string]string{"graft.precision": "int8"}
	for _, c := range []struct {
		name  string
		model *onnx.Model
		kind  Kind
		want  string
	}{
		{"no repeated layers", lone.Model, Int8, "int8: no products"},
		{"done already", done, Float16, "is of int8 already"},
		{"operators too old", perceptron(12, gelu), Int8, "needs operator set 13, the model has 12"},
		{"a graph inside", branch, Float16, `node "choice" (If) holds a graph of its own`},
		{"no such kind", perceptron(18, gelu), "int4", `unknown precision "int4"`},
	} {
		nodes := len(c.model.Nodes)
		if _, err := Rewrite(c.model, c.kind); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if len(c.model.Nodes) != nodes {
			t.Errorf("%s: %d nodes became %d", c.name, nodes, len(c.model.Nodes))
		}
	}
	m := perceptron(18, gelu)
	if n, err := Rewrite(m, Float32); n != 0 || err != nil || m.Metadata != nil {
		t.Errorf("float32: %d, %v, %v", n, err, m.Metadata)
	}
}

// TestBadWeights: what cannot be converted is found when it is written, and named.
func TestBadWeights(t *testing.T) {
	for kind, c := range map[Kind]struct {
		value float32
		want  string
	}{
		Int8:    {float32(math.NaN()), `weights "a.fc1.weight": row 0, column 3 is NaN`},
		Float16: {1e5, `weights "a.fc1.weight": element 3 is 100000`},
	} {
		m := perceptron(18, gelu)
		for _, w := range m.Initializers {
			if w.Name == "a.fc1.weight" {
				v, _ := w.Float32s()
				v[3] = c.value
				m.Initializers[slices.IndexFunc(m.Initializers, func(t onnx.Tensor) bool { return t.Name == w.Name })].Data = onnx.Float32s(v)
			}
		}
		if _, err := Rewrite(m, kind); err != nil {
			t.Fatal(err)
		}
		if _, err := m.WriteTo(&bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", kind, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for word, want := range map[string]Kind{"": Float32, "fp32": Float32, "FP16": Float16, "float16": Float16, "int8": Int8} {
		if got, err := Parse(word); got != want || err != nil {
			t.Errorf("%q: %v, %v", word, got, err)
		}
	}
	if _, err := Parse("int4"); err == nil || !strings.Contains(err.Error(), "fp32, fp16, int8") {
		t.Errorf("int4: %v", err)
	}
}

func TestConvertFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := perceptron(18, gelu).WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if n, err := ConvertFile(path, path, Int8); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := ConvertFile(path, path, Int8); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("twice: %v", err)
	}
}
