package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"graft/graph"
)

// operations is the table: each operation of the registry with the graph that a fixture of that name was computed by.
var operations = []struct {
	name  string
	op    graph.Op
	build func(g *graph.Graph, in []*graph.Node) *graph.Node
}{
	{"add", graph.OpAdd, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Add(x[0], x[1]) }},
	{"sub", graph.OpSub, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sub(x[0], x[1]) }},
	{"mul", graph.OpMul, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Mul(x[0], x[1]) }},
	{"div", graph.OpDiv, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Div(x[0], x[1]) }},
	{"neg", graph.OpNeg, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Neg(x[0]) }},
	{"exp", graph.OpExp, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Exp(x[0]) }},
	{"log", graph.OpLog, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Log(x[0]) }},
	{"sqrt", graph.OpSqrt, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sqrt(x[0]) }},
	{"tanh", graph.OpTanh, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Tanh(x[0]) }},
	{"erf", graph.OpErf, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Erf(x[0]) }},
	{"relu", graph.OpRelu, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Relu(x[0]) }},
	{"gelu", graph.OpGelu, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Gelu(x[0]) }},
	{"equal", graph.OpEqual, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		same := g.Equal(g.Constant([]float64{0, 1, 2, 3}, 4), g.Constant([]float64{0, 2, 2, 1}, 4))
		return g.Where(same, x[0], g.Scale(x[0], 2))
	}},
	{"greater", graph.OpGreater, chosen((*graph.Graph).Greater)},
	{"greater_or_equal", graph.OpGreaterOrEqual, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Where(g.GreaterOrEqual(x[0], x[1]), g.Scale(x[0], 3), x[1])
	}},
	{"less", graph.OpLess, chosen((*graph.Graph).Less)},
	{"less_or_equal", graph.OpLessOrEqual, chosen((*graph.Graph).LessOrEqual)},
	{"less", graph.OpWhere, chosen((*graph.Graph).Less)},
	{"matmul", graph.OpMatMul, product4(false, false)},
	{"matmul_transposed_a", graph.OpMatMul, product4(true, false)},
	{"matmul_transposed_b", graph.OpMatMul, product4(false, true)},
	{"matmul_transposed_both", graph.OpMatMul, product4(true, true)},
	{"matmul_batched", graph.OpMatMul, product4(false, false)},
	{"matmul_broadcast", graph.OpMatMul, product4(false, false)},
	{"matmul_shared", graph.OpMatMul, product4(false, false)},
	{"reshape", graph.OpReshape, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Scale(g.Reshape(x[0], 4, -1), 2) }},
	{"transpose", graph.OpTranspose, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Transpose(x[0], 2, 0, 3, 1) }},
	{"expand", graph.OpExpand, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Expand(x[0], 2, 3, 4) }},
	{"concat", graph.OpConcat, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Concat(-2, x...) }},
	{"slice", graph.OpSlice, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Slice(g.Slice(x[0], 1, 1, 4), -1, 2, 3)
	}},
	{"pad", graph.OpPad, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Pad(x[0], []int{0, 0, 1}, []int{0, 1, 2})
	}},
	{"gather", graph.OpGather, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Gather(x[0], x[1]) }},
	{"scatter_rows", graph.OpScatterRows, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.ScatterRows(x[0], x[1], 6) }},
	{"sum", graph.OpReduceSum, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0], 0, -1) }},
	{"sum_all", graph.OpReduceSum, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0]) }},
	{"sum_columns", graph.OpReduceSum, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Sum(x[0], 0) }},
	{"mean", graph.OpReduceMean, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MeanKeep(x[0], 1) }},
	{"max", graph.OpReduceMax, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Max(x[0], 0, 2) }},
	{"max_columns", graph.OpReduceMax, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Max(x[0], 0) }},
	{"softmax", graph.OpSoftmax, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Softmax(x[0]) }},
	{"log_softmax", graph.OpLogSoftmax, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.LogSoftmax(x[0]) }},
	{"layer_norm", graph.OpLayerNormalization, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.LayerNorm(x[0], x[1], x[2], 1e-6)
	}},
	{"batch_norm", graph.OpBatchNormalization, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.BatchNorm(x[0], x[1], x[2], x[3], x[4], 1e-5)
	}},
	{"batch_norm_training", graph.OpBatchNormalization, batchNormTraining},
	{"batch_norm_conv", graph.OpBatchNormalization, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Relu(batchNormTraining(g, []*graph.Node{g.Conv(x[0], x[1], nil, graph.ConvAttrs{}), x[2], x[3]}))
	}},
	{"conv", graph.OpConv, convolution(graph.ConvAttrs{})},
	{"conv_stride_pad", graph.OpConv, convolution(graph.ConvAttrs{Stride: [2]int{2, 3}, Pad: [2]int{1, 2}})},
	{"conv_point", graph.OpConv, convolution(graph.ConvAttrs{Stride: [2]int{2, 2}})},
	{"conv_blocks", graph.OpConv, convolution(graph.ConvAttrs{Pad: [2]int{1, 1}})},
	{"conv_input_grad", graph.OpConvInputGrad, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.ConvInputGrad(x[0], x[1], graph.ConvAttrs{Stride: [2]int{2, 1}, Pad: [2]int{1, 0}}, 7, 6)
	}},
	{"conv_weight_grad", graph.OpConvWeightGrad, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.ConvWeightGrad(x[0], x[1], graph.ConvAttrs{Stride: [2]int{2, 1}, Pad: [2]int{1, 0}}, 3, 2)
	}},
	{"max_pool", graph.OpMaxPool, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.MaxPool(x[0], graph.Pool2(2)) }},
	{"max_pool_overlap", graph.OpMaxPoolGrad, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.MaxPool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}})
	}},
	{"average_pool", graph.OpAveragePool, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.AveragePool(x[0], graph.Pool2(2)) }},
	{"average_pool_overlap", graph.OpAveragePoolGrad, func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.AveragePool(x[0], graph.PoolAttrs{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}})
	}},
	{"cross_entropy", graph.OpLogSoftmax, crossEntropy},
	{"attention", graph.OpSoftmax, func(g *graph.Graph, x []*graph.Node) *graph.Node { return g.Attention(x[0], x[1], x[2], nil) }},
}

// otherwise lists operations whose test is not a PyTorch fixture.
var otherwise = map[graph.Op]string{graph.OpDropout: "TestDropout"}

func chosen(compare func(g *graph.Graph, a, b *graph.Node) *graph.Node) func(*graph.Graph, []*graph.Node) *graph.Node {
	return func(g *graph.Graph, x []*graph.Node) *graph.Node {
		return g.Where(compare(g, x[0], x[1]), x[0], g.Scale(x[1], 2))
	}
}

func product4(transA, transB bool) func(*graph.Graph, []*graph.Node) *graph.Node {
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

func newOperation(t testing.TB, f fixture, build func(*graph.Graph, []*graph.Node) *graph.Node) *operation {
	t.Helper()
	o := &operation{g: graph.New(), want: []numbers{f.Output}}
	var learned []*graph.Node
	for i, x := range f.Inputs {
		name := fmt.Sprintf("x%d", i)
		if f.Gradients[i] == nil {
			o.in = append(o.in, o.g.Indices(name, x.Shape...))
			continue
		}
		o.in = append(o.in, o.g.Input(name, x.Shape...))
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

// TestOperations compares every operation, forward and backward, with PyTorch and with finite differences.
func TestOperations(t *testing.T) {
	all := fixtures(t)
	for _, c := range operations {
		f, ok := all[c.name]
		if !ok {
			t.Fatalf("no fixture for %s", c.name)
		}
		t.Run(c.name+"/reference", func(t *testing.T) { checkReference(t, newOperation(t, f, c.build), f) })
		t.Run(c.name+"/differences", func(t *testing.T) { checkDifferences(t, newOperation(t, f, c.build), f) })
		for _, threads := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s/threads%d", c.name, threads), func(t *testing.T) {
				checkProgram(t, newOperation(t, f, c.build), f, Options{Threads: threads})
			})
		}
	}
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

func referenceOf(t *testing.T, o *operation, f fixture) *Reference {
	t.Helper()
	r, err := NewReference(o.g)
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

func checkProgram(t *testing.T, o *operation, f fixture, options Options) {
	p, err := Compile(o.g, o.results, nil, options)
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

// TestEveryOperationIsTested fails for an operation of the registry without a line in the table.
func TestEveryOperationIsTested(t *testing.T) {
	all := fixtures(t)
	tested := map[graph.Op]bool{}
	for _, c := range operations {
		for _, n := range newOperation(t, all[c.name], c.build).g.Nodes() {
			tested[c.op] = tested[c.op] || n.Op() == c.op
		}
	}
	for _, op := range graph.Ops() {
		if !tested[op] && otherwise[op] == "" {
			t.Errorf("operation %s has no test", op)
		}
	}
}
