package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/lower"
	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// builders make the graph that a fixture of that name was computed by, where it is more than the operation by itself.
var builders = map[string]func(g *graph.Graph, in []*graph.Node) *graph.Node{
	"equal": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		same := g.Equal(g.Constant([]float64{0, 1, 2, 3}, 4), g.Constant([]float64{0, 2, 2, 1}, 4))
		return g.Where(same, x[0], g.Scale(x[0], 2))
	},
	"greater": chosen((*graph.Graph).Greater),
	"greater_or_equal": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Where(g.GreaterOrEqual(x[0], x[1]), g.Scale(x[0], 3), x[1])
	},
	"less":                   chosen((*graph.Graph).Less),
	"less_or_equal":          chosen((*graph.Graph).LessOrEqual),
	"matmul":                 product(false, false),
	"matmul_transposed_a":    product(true, false),
	"matmul_transposed_b":    product(false, true),
	"matmul_transposed_both": product(true, true),
	"matmul_batched":         product(false, false),
	"matmul_broadcast":       product(false, false),
	"matmul_shared":          product(false, false),
	"reshape":                func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Scale(g.Reshape(x[0], 4, -1), 2) },
	"transpose":              func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Transpose(x[0], 2, 0, 3, 1) },
	"expand":                 func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Expand(x[0], 2, 3, 4) },
	"concat":                 func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Concat(-2, x...) },
	"slice": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Slice(g.Slice(x[0], 1, 1, 4), -1, 2, 3)
	},
	"pad": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Pad(x[0], []int{0, 0, 1}, []int{0, 1, 2})
	},
	"scatter_rows": func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.ScatterRows(x[0], x[1], 6) },
	"sum":          func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0], 0, -1) },
	"sum_all":      func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0]) },
	"sum_columns":  func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0], 0) },
	"mean":         func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MeanKeep(x[0], 1) },
	"max":          func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Max(x[0], 0, 2) },
	"max_columns":  func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Max(x[0], 0) },
	"layer_norm": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.LayerNorm(x[0], x[1], x[2], 1e-6)
	},
	"batch_norm": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.BatchNorm(x[0], x[1], x[2], x[3], x[4], 1e-5)
	},
	"batch_norm_training": batchNormTraining,
	"batch_norm_conv": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Relu(batchNormTraining(g, []*graph.Node{g.Conv(x[0], x[1], nil, graph.ConvAttrs{}), x[2], x[3]}))
	},
	"conv":             convolution(graph.ConvAttrs{}),
	"conv_stride_pad":  convolution(graph.ConvAttrs{Stride: [2]int{2, 3}, Pad: [2]int{1, 2}}),
	"conv_point":       convolution(graph.ConvAttrs{Stride: [2]int{2, 2}}),
	"conv_blocks":      convolution(graph.ConvAttrs{Pad: [2]int{1, 1}}),
	"conv_groups":      convolution(graph.ConvAttrs{Stride: [2]int{1, 2}, Pad: [2]int{2, 1}, Groups: 2}),
	"conv_depthwise":   convolution(graph.ConvAttrs{Stride: [2]int{2, 2}, Pad: [2]int{1, 0}, Extra: [2]int{1, 1}, Groups: 3}),
	"conv_dilated":     convolution(graph.ConvAttrs{Stride: [2]int{1, 2}, Pad: [2]int{2, 3}, Dilation: [2]int{2, 3}}),
	"conv_many_groups": convolution(graph.ConvAttrs{Pad: [2]int{0, 1}, Extra: [2]int{1, -1}, Dilation: [2]int{1, 2}, Groups: 4}),
	"conv_input_grad": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.ConvInputGrad(x[0], x[1], graph.ConvAttrs{Stride: [2]int{2, 1}, Pad: [2]int{1, 0}}, 7, 6)
	},
	"conv_weight_grad": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.ConvWeightGrad(x[0], x[1], graph.ConvAttrs{Stride: [2]int{2, 1}, Pad: [2]int{1, 0}}, 3, 2)
	},
	"max_pool": func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MaxPool(x[0], graph.Pool2(2)) },
	"max_pool_overlap": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.MaxPool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}})
	},
	"max_pool_uneven": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.MaxPool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Extra: [2]int{1, 1}, Dilation: [2]int{1, 2}})
	},
	"average_pool_uneven": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.AveragePool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 0}, Extra: [2]int{-1, 1}})
	},
	"average_pool": func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.AveragePool(x[0], graph.Pool2(2)) },
	"average_pool_overlap": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.AveragePool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}})
	},
	"cross_entropy": crossEntropy,
	"swish":         func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Swish(x[0], 1) },
	"round":         func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Round(x[0]) },
	"quick_gelu":    func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Swish(x[0], 1.702) },
	"clip":          func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Clip(x[0], -0.31, 0.4) },
	"clip_above":    func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Clip(x[0], math.Inf(-1), 0.4) },
	"clip_below":    func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Clip(x[0], -0.31, math.Inf(1)) },
	"leaky_relu":    func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LeakyRelu(x[0], 0.1) },
	"hard_sigmoid":  func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.HardSigmoid(x[0], 1.0/6, 0.5) },
	"pow":           func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Pow(x[0], 2.5) },
	"pow_powers": func(g *graph.Graph, x []*graph.Node) *graph.Node {
		sum := g.Pow(x[0], 0.5)
		for _, e := range []float64{2, 3, -1, -0.5, 0, 1, 1.5} {
			sum = g.Add(sum, g.Pow(x[0], e))
		}
		return sum
	},
	"attention": func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Attention(x[0], x[1], x[2], nil) },
}

func chosen(compare func(g *graph.Graph, a, b *graph.Node) *graph.Node) func(*graph.Graph, []*graph.Node) *graph.Node {
	return func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Where(compare(g, x[0], x[1]), x[0], g.Scale(x[1], 2))
	}
}

func product(transA, transB bool) func(*graph.Graph, []*graph.Node) *graph.Node {
	return func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MatMulT(x[0], x[1], transA, transB) }
}

func convolution(a graph.ConvAttrs) func(*graph.Graph, []*graph.Node) *graph.Node {
	return func(g *graph.Graph, x []*graph.Node) *graph.Node {
		if len(x) == 2 {
			return g.Conv(x[0], x[1], nil, a)
		}
		return g.Conv(x[0], x[1], x[2], a)
	}
}

func batchNormTraining(g *graph.Graph, x []*graph.Node) *graph.Node {
	c := x[0].Dim(1)
	return g.BatchNormTraining(x[0], x[1], x[2], g.State("mean", nil, c), g.State("variance", nil, c), 1e-5, 0.1)
}

func crossEntropy(g *graph.Graph, x []*graph.Node) *graph.Node {
	targets := make([]float64, 30)
	for i, label := range []int{1, 0, 3, 4, 2, 2} {
		targets[i*5+label] = 1
	}
	weights := g.Constant([]float64{0.5, 2, 1, 1.5, 0.7}, 5)
	return g.CrossEntropy(x[0], g.Constant(targets, 6, 5), graph.CrossEntropyOptions{Smoothing: 0.1, ClassWeights: weights})
}

// numbers is a tensor of a fixture.
type numbers struct {
	Shape []int
	Data  []float64
}

func (n numbers) float32s() []float32 {
	out := make([]float32, len(n.Data))
	for i, v := range n.Data {
		out[i] = float32(v)
	}
	return out
}

type fixture struct {
	Inputs    []numbers
	Output    numbers
	Upstream  numbers
	Gradients []*numbers // nil for whole numbers
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// operation is a case's graph: output, loss = Σ output·upstream, and the loss's gradients.
type operation struct {
	g       *graph.Graph
	in      []*graph.Node
	loss    *graph.Node
	results []*graph.Node // output, then gradients
	want    []numbers
}

// newOperation declares the float inputs by declare.
func newOperation(t testing.TB, f fixture, build func(*graph.Graph, []*graph.Node) *graph.Node, declare func(g *graph.Graph, name string, x numbers) *graph.Node) *operation {
	t.Helper()
	o := &operation{g: graph.New(), want: []numbers{f.Output}}
	var learned []*graph.Node
	for i, x := range f.Inputs {
		name := fmt.Sprintf("x%d", i)
		if f.Gradients[i] == nil {
			o.in = append(o.in, o.g.Indices(name, x.Shape...))
			continue
		}
		o.in = append(o.in, declare(o.g, name, x))
		learned = append(learned, o.in[i])
		o.want = append(o.want, *f.Gradients[i])
	}
	y := build(o.g, o.in)
	o.loss = o.g.Sum(o.g.Mul(y, o.g.Constant(f.Upstream.Data, f.Upstream.Shape...)))
	gradients, err := graph.Gradient(o.loss, learned)
	if err != nil {
		t.Fatal(err)
	}
	if !y.Shape().Equal(f.Output.Shape) {
		t.Fatalf("output's shape: wanted %v, got %v", f.Output.Shape, y.Shape())
	}
	o.results = append([]*graph.Node{y}, gradients...)
	return o
}

func input(g *graph.Graph, name string, x numbers) *graph.Node { return g.Input(name, x.Shape...) }

func parameter(g *graph.Graph, name string, x numbers) *graph.Node {
	return g.Parameter(name, x.float32s(), x.Shape...)
}

func fixtures(t testing.TB) map[string]fixture {
	t.Helper()
	var f map[string]fixture
	if err := readJSON("testdata/operations.json", &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// close compares element by element, relative to the larger of 1 and the values' size.
func close(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: wanted %d values, got %d", what, len(want), len(got))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: element %d: wanted %.8g, got %.8g", what, i, want[i], got[i])
		}
	}
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// TestOperations holds every operation's row, forward, backward and as ONNX, against PyTorch and finite differences, and
// the engine's kernel against the same. Each operation has a fixture in which it stands, or a test of its own.
func TestOperations(t *testing.T) {
	all, done := fixtures(t), map[string]bool{}
	for _, op := range graph.Ops() {
		stands := op == graph.OpDropout // engine's TestDropout
		for _, name := range graph.Fixtures(op) {
			f, ok := all[name]
			if !ok {
				t.Fatalf("%s: no fixture %s", op, name)
			}
			build := builders[name]
			if build == nil {
				build = func(g *graph.Graph, in []*graph.Node) *graph.Node { return graph.Apply(g, op, in) }
			}
			for _, n := range newOperation(t, f, build, input).g.Nodes() {
				stands = stands || n.Op() == op
			}
			if !done[name] {
				done[name] = true
				t.Run(name, func(t *testing.T) { checkOperation(t, f, build) })
			}
		}
		if !stands {
			t.Errorf("operation %s stands in none of its fixtures %v", op, graph.Fixtures(op))
		}
	}
	for name := range all {
		if !done[name] {
			t.Errorf("no operation's row names the fixture %s", name)
		}
	}
}

func checkOperation(t *testing.T, f fixture, build func(*graph.Graph, []*graph.Node) *graph.Node) {
	t.Run("reference", func(t *testing.T) { checkReference(t, newOperation(t, f, build, input), f) })
	t.Run("differences", func(t *testing.T) { checkDifferences(t, newOperation(t, f, build, input), f) })
	for _, threads := range []int{1, 2, 5} {
		t.Run(fmt.Sprint("threads", threads), func(t *testing.T) {
			checkProgram(t, newOperation(t, f, build, input), f, engine.Options{Threads: threads})
		})
	}
	t.Run("onnx", func(t *testing.T) { checkONNX(t, newOperation(t, f, build, parameter)) })
}

func checkReference(t *testing.T, o *operation, f fixture) {
	r := referenceOf(t, o, f)
	got, err := r.Eval(o.results...)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range o.want {
		close(t, o.results[i].String(), got[i], want.Data, 1e-7)
	}
}

func referenceOf(t *testing.T, o *operation, f fixture) *graph.Reference {
	t.Helper()
	r, err := graph.NewReference(o.g)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range f.Inputs {
		if err := r.Set(o.in[i], x.Data); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// checkDifferences moves single elements of every input and looks at the loss.
func checkDifferences(t *testing.T, o *operation, f fixture) {
	const h, samples = 1e-5, 25
	r, random := referenceOf(t, o, f), rand.New(rand.NewPCG(1, 2))
	gradients, err := r.Eval(o.results[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	loss := func() float64 {
		v, err := r.Eval(o.loss)
		if err != nil {
			t.Fatal(err)
		}
		return v[0][0]
	}
	next := 0
	for i, x := range f.Inputs {
		if f.Gradients[i] == nil {
			continue
		}
		for range min(samples, len(x.Data)) {
			at := random.IntN(len(x.Data))
			old := x.Data[at]
			x.Data[at] = old + h
			above := loss()
			x.Data[at] = old - h
			slope := (above - loss()) / (2 * h)
			x.Data[at] = old
			close(t, fmt.Sprintf("input %d, element %d", i, at), []float64{gradients[next][at]}, []float64{slope}, 1e-6)
		}
		next++
	}
}

func checkProgram(t *testing.T, o *operation, f fixture, options engine.Options) {
	p, err := engine.Compile(o.g, o.results, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range f.Inputs {
		if err := p.Set(o.in[i], x.float32s()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // a second step must not see the first one's leavings
		if err := p.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, want := range o.want {
			close(t, o.results[i].String(), widen(p.Value(o.results[i])), want.Data, 2e-5)
		}
	}
}

// checkONNX runs the ONNX form, for operators of today and of older models, in ONNX Runtime.
func checkONNX(t *testing.T, o *operation) {
	if slices.ContainsFunc(o.in, func(n *graph.Node) bool { return n.Type() == graph.Int }) {
		t.Skip("lower's TestGather has indices")
	}
	for _, opset := range []int64{lower.Opset, 18} {
		m := &onnx.Model{Name: "operation", Opset: opset}
		b := onnx.NewBuilder(m)
		names, err := lower.Nodes(b, o.results[:1], lower.Options{})
		ships := !slices.ContainsFunc(o.g.Nodes()[:o.results[0].ID()+1], func(n *graph.Node) bool { return len(n.Inputs()) > 0 && !graph.Ships(n.Op()) })
		if !ships {
			if err == nil || !strings.Contains(err.Error(), "an operation of training graphs") {
				t.Errorf("wanted a training graph to be refused, got %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		zero := b.Input("zero", onnx.Float32, onnx.Dim{Value: 1}) // a session wants an input
		b.Output("result", b.Op("Reshape", "flat", []string{b.Op("Add", "sum", []string{names[0], zero}), b.Int64s("all", -1)}), onnx.Float32, onnx.Dim{Name: "elements"})
		close(t, "result", runONNX(t, m, len(o.want[0].Data)), o.want[0].Data, 2e-5)
	}
}

func runONNX(t *testing.T, m *onnx.Model, elements int) []float64 {
	t.Helper()
	orttest.Require(t)
	s, err := ort.OpenModel(m, session.Options{Provider: "cpu", Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := session.Tensor{Name: "result", Shape: []int64{int64(elements)}, Data: make([]float32, elements)}
	if err := s.Run(context.Background(), []session.Tensor{{Name: "zero", Shape: []int64{1}, Data: []float32{0}}}, []session.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return widen(out.Data.([]float32))
}
