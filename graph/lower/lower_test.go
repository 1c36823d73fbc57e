package lower

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// operations builds, for operations of every kind, a result of x [n,3,4,4] that keeps the batch in front.
var operations = map[string]func(g *graph.Graph, x *graph.Node) *graph.Node{
	"add": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Add(x, g.Parameter("p", ramp(16), 4, 4)) },
	"sub": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Sub(g.Parameter("p", ramp(3), 1, 3, 1, 1), x)
	},
	"mul":   func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Mul(x, x) },
	"div":   func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Div(x, g.Parameter("p", ramp(4), 4)) },
	"unary": unaries,
	"gelu":  func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Gelu(g.Scale(x, 3)) },
	"where": func(g *graph.Graph, x *graph.Node) *graph.Node {
		zero := g.Scalar(0)
		y := g.Where(g.Greater(x, zero), x, g.Scale(x, 2))
		y = g.Where(g.GreaterOrEqual(y, g.Scalar(0.5)), g.Scalar(7), y)
		y = g.Where(g.Less(y, g.Scalar(-0.5)), g.Scalar(3), y)
		y = g.Where(g.LessOrEqual(y, g.Scalar(-0.25)), y, g.Neg(y))
		return g.Where(g.Equal(y, g.Scalar(7)), zero, y)
	},
	"softmax": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Add(g.Softmax(x), g.LogSoftmax(x)) },
	"layernorm": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.LayerNorm(x, g.Parameter("s", ramp(4), 4), g.Parameter("b", ramp(4), 4), 1e-5)
	},
	"batchnorm":  batchNormed,
	"matmul":     func(g *graph.Graph, x *graph.Node) *graph.Node { return g.MatMul(x, g.Parameter("p", ramp(8), 4, 2)) },
	"matmul_t":   func(g *graph.Graph, x *graph.Node) *graph.Node { return g.MatMulT(x, x, true, true) },
	"matmul_row": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.MatMul(g.Parameter("p", ramp(8), 2, 4), x) },
	"gemm": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.MatMulT(g.Reshape(x, -1, 48), g.Parameter("p", ramp(96), 2, 48), false, true)
	},
	"conv": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Conv(x, g.Parameter("w", ramp(3*2*12), 4, 3, 3, 2), g.Parameter("b", ramp(4), 4), graph.ConvAttrs{Stride: [2]int{2, 1}, Pad: [2]int{1, 0}})
	},
	"maxpool": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.MaxPool(x, graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}})
	},
	"averagepool": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.AveragePool(x, graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 0}})
	},
	"reduce": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Add(g.Sum(x, 1, 3), g.Add(g.Mean(x, 1, 2), g.Max(x, 1, -1)))
	},
	"reduce_keep": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Sub(x, g.MeanKeep(x, 1, 2, 3)) },
	"reduce_parameter": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Add(x, g.Sum(g.Sum(g.Parameter("p", ramp(4), 4))))
	},
	"reshape": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Scale(g.Reshape(x, x.Dim(0)*12, 4), 2) },
	"expand": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Add(g.Expand(g.MeanKeep(x, 1, 2), x.Dim(0), 3, 4, 4), g.Expand(g.Parameter("p", ramp(1), 1), 4))
	},
	"transpose": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Transpose(x, 0, 2, 3, 1) },
	"concat":    func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Concat(2, x, g.Scale(x, 2), x) },
	"slice": func(g *graph.Graph, x *graph.Node) *graph.Node {
		return g.Slice(g.Slice(g.Slice(x, 1, 0, 3), 2, 1, 3), 3, 1, 2)
	},
	"pad": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Pad(x, []int{0, 1, 0, 2}, []int{0, 0, 1, 0}) },
}

func unaries(g *graph.Graph, x *graph.Node) *graph.Node {
	y := g.Sqrt(g.Exp(g.Neg(x)))
	return g.Relu(g.Erf(g.Tanh(g.Log(y))))
}

func batchNormed(g *graph.Graph, x *graph.Node) *graph.Node {
	v := func(name string) *graph.Node { return g.Parameter(name, ramp(3), 3) }
	return g.BatchNorm(x, v("scale"), v("bias"), v("mean"), v("variance"), 1e-5)
}

// ramp is n numbers between 0.3 and 1.2 in no simple order.
func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 0.3 + float32(i*7%10)/10
	}
	return v
}

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// native computes build's result of x for n examples on the engine.
func native(t *testing.T, build func(g *graph.Graph, x *graph.Node) *graph.Node, x []float32, n int, shape ...int) []float32 {
	t.Helper()
	g := graph.New()
	in := g.Input("x", append([]int{n}, shape...)...)
	out := build(g, in)
	p, err := engine.Compile(g, []*graph.Node{out}, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Set(in, x); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p.Value(out)
}

// runtime computes a model's first output of x with ONNX Runtime.
func runtime(t *testing.T, m *onnx.Model, x any, n int, size int) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(path, session.Options{Provider: "cpu", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, out := s.Inputs()[0], s.Outputs()[0]
	result := make([]float32, size)
	err = s.Run(context.Background(), []session.Tensor{{Name: in.Name, Shape: dims(in, n), Data: x}},
		[]session.Tensor{{Name: out.Name, Shape: dims(out, n), Data: result}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// dims is a value's shape with n in place of symbolic sizes.
func dims(v onnx.Value, n int) []int64 {
	var out []int64
	for _, d := range v.Dims {
		if d.Name != "" {
			d.Value = int64(n)
		}
		out = append(out, d.Value)
	}
	return out
}

// near compares with a tolerance relative to the largest number wanted, at least 1.
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d and at least one", what, len(got), len(want))
	}
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= tol*largest) {
			t.Errorf("%s: element %d is %v, want %v, with values up to %.3g", what, i, got[i], want[i], largest)
			return
		}
	}
}

// single lowers build for a batch of one.
func single(build func(g *graph.Graph, x *graph.Node) *graph.Node, shape ...int) (*onnx.Model, error) {
	g := graph.New()
	out := build(g, g.Input("x", append([]int{1}, shape...)...))
	if err := g.Err(); err != nil {
		return nil, err
	}
	m := &onnx.Model{Name: "test", Opset: Opset}
	b := onnx.NewBuilder(m)
	in := []onnx.Dim{{Name: "N"}}
	for _, d := range shape {
		in = append(in, onnx.Dim{Value: int64(d)})
	}
	names, err := Nodes(b, []*graph.Node{out}, Options{Inputs: map[string]string{"x": b.Input("x", onnx.Float32, in...)}})
	if err != nil {
		return nil, err
	}
	result := []onnx.Dim{{Name: "M"}}
	for _, d := range out.Shape()[1:] {
		result = append(result, onnx.Dim{Value: int64(d)})
	}
	b.Output(names[0], names[0], onnx.Float32, result...)
	return m, m.Validate()
}

// TestOperations runs each operation in ONNX Runtime, from a graph for one example on batches of others.
func TestOperations(t *testing.T) {
	orttest.Require(t)
	for name, build := range operations {
		m, err := single(build, 3, 4, 4)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, n := range []int{1, 3} {
			x := random(n * 48)
			want := native(t, build, x, n, 3, 4, 4)
			m.Outputs[0].Dims[0] = onnx.Dim{Value: int64(n * multiple(build))}
			near(t, fmt.Sprintf("%s of %d", name, n), runtime(t, m, x, n, len(want)), want, 2e-5)
		}
	}
}

// multiple is what the batch is multiplied with in the result's first axis.
func multiple(build func(g *graph.Graph, x *graph.Node) *graph.Node) int {
	g := graph.New()
	return build(g, g.Input("x", 1, 3, 4, 4)).Dim(0)
}

func TestGather(t *testing.T) {
	orttest.Require(t)
	g := graph.New()
	out := g.Gather(g.Parameter("table", ramp(10), 5, 2), g.Indices("i", 1, 3))
	m := &onnx.Model{Name: "test", Opset: Opset}
	b := onnx.NewBuilder(m)
	i := b.Input("i", onnx.Int64, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3})
	names, err := Nodes(b, []*graph.Node{out}, Options{Inputs: map[string]string{"i": i}})
	if err != nil {
		t.Fatal(err)
	}
	b.Output(names[0], names[0], onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 2})
	var want []float32
	for _, row := range []int{4, 0, 2, 1, 1, 3} {
		want = append(want, ramp(10)[row*2:row*2+2]...)
	}
	near(t, "rows", runtime(t, m, []int64{4, 0, 2, 1, 1, 3}, 2, 12), want, 0)
}

// TestRefusals wants an error that tells what would mix examples or belongs to training.
func TestRefusals(t *testing.T) {
	for want, build := range map[string]func(g *graph.Graph, x *graph.Node) *graph.Node{
		"Dropout is an operation of training graphs": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Dropout(x, g.Scalar(1), 0.5, 1) },
		"reduces over the batch":                     func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Reshape(g.Sum(x, 0), 1, -1) },
		"moves the batch away":                       func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Transpose(x, 1, 0, 2, 3) },
		"joins along the batch":                      func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Concat(0, x, x) },
		"pad with zeros and add it": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Concat(1, g.Parameter("p", ramp(16), 1, 1, 4, 4), x)
		},
		"would move or repeat it": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Add(x, g.Parameter("p", ramp(96), 2, 3, 4, 4))
		},
		"has 12 rows along it": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Add(g.Reshape(x, 12, 4), g.Parameter("p", ramp(48), 12, 4))
		},
		"sums over the batch": func(g *graph.Graph, x *graph.Node) *graph.Node {
			y := g.Reshape(x, 12, 4)
			return g.MatMulT(y, y, true, false)
		},
		"build the graph for inference": func(g *graph.Graph, x *graph.Node) *graph.Node {
			v := func(name string) *graph.Node { return g.State(name, ramp(3), 3) }
			return g.BatchNorm(x, v("scale"), v("bias"), g.Reshape(g.Slice(g.Mean(x, 2, 3), 1, 0, 3), 3), v("variance"), 1e-5)
		},
		"cuts or pads the batch": func(g *graph.Graph, x *graph.Node) *graph.Node {
			return g.Pad(x, []int{1, 0, 0, 0}, []int{0, 0, 0, 0})
		},
		"works along the batch": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Softmax(g.Reshape(x, 48)) },
		"no axis for the batch": func(g *graph.Graph, x *graph.Node) *graph.Node { return g.Reshape(g.Max(x, 1, 2, 3)) },
	} {
		if _, err := single(build, 3, 4, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestNodesRefusesInputs(t *testing.T) {
	g := graph.New()
	x, two := g.Input("x", 1, 2), g.Input("two", 2, 2)
	p := g.Parameter("p", nil, 2, 2)
	for _, c := range []struct {
		out  *graph.Node
		o    Options
		want string
	}{
		{g.Relu(x), Options{}, "no value of the model is given"},
		{g.Relu(two), Options{Inputs: map[string]string{"two": "two"}}, "built for another batch than 1"},
		{p, Options{}, "this parameter has no values"},
		{nil, Options{}, "output 0 was not built"},
	} {
		if _, err := Nodes(onnx.NewBuilder(&onnx.Model{Opset: Opset}), []*graph.Node{c.out}, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// TestOneToOne counts operators: an operation gives one, and transposing an operand of a batched product one more.
func TestOneToOne(t *testing.T) {
	for name, build := range operations {
		m, err := single(build, 3, 4, 4)
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New()
		build(g, g.Input("x", 1, 3, 4, 4))
		operations := len(slices.DeleteFunc(g.Nodes(), func(n *graph.Node) bool { return len(n.Inputs()) == 0 }))
		if name == "matmul_t" {
			operations += 2
		}
		if len(m.Nodes) != operations {
			t.Errorf("%s: %d operators for %d operations", name, len(m.Nodes), operations)
		}
	}
}
