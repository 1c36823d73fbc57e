package raise_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// images are x [2,3,8,8], the input of the models below.
var images = []int{2, 3, 8, 8}

// example builds a model, and tells how often operations are left in its graph.
type example struct {
	opset int64
	build func(b *onnx.Builder, x string) string
	want  map[graph.Op]int
}

// models build what an exporter writes, with the operations that are left when it was understood.
var models = map[string]example{
	"linear": {13, func(b *onnx.Builder, x string) string {
		y := b.Op("Flatten", "flat", []string{x}, attr("axis", int64(1)))
		return b.Op("Gemm", "y", []string{y, weight(b, "w", 5, 192), weight(b, "b", 5)}, attr("transB", int64(1)), attr("alpha", float32(0.5)), attr("beta", float32(2)))
	}, map[graph.Op]int{graph.OpMatMul: 1, graph.OpAdd: 1, graph.OpMul: 2}},
	"convolution": {11, func(b *onnx.Builder, x string) string {
		y := b.Op("Conv", "conv", []string{x, weight(b, "w", 4, 3, 3, 3), weight(b, "b", 4)}, attr("pads", []int64{1, 1, 1, 1}), attr("strides", []int64{2, 1}))
		y = b.Op("BatchNormalization", "norm", []string{y, weight(b, "scale", 4), weight(b, "shift", 4), weight(b, "mean", 4), positive(b, "variance", 4)})
		y = b.Op("MaxPool", "pool", []string{b.Op("Relu", "relu", []string{y})}, attr("kernel_shape", []int64{2, 2}))
		return b.Op("GlobalAveragePool", "global", []string{y})
	}, map[graph.Op]int{graph.OpConv: 1, graph.OpBatchNormalization: 1, graph.OpMaxPool: 1, graph.OpReduceMean: 1}},
	"transposed convolution": {13, func(b *onnx.Builder, x string) string {
		y := b.Op("ConvTranspose", "twice", []string{x, weight(b, "w", 3, 4, 2, 2), weight(b, "b", 4)}, attr("strides", []int64{2, 2}))
		return b.Op("ConvTranspose", "y", []string{y, weight(b, "v", 4, 3, 3, 2)}, attr("strides", []int64{2, 3}), attr("pads", []int64{1, 0, 0, 1}),
			attr("output_padding", []int64{1, 2}), attr("group", int64(2)), attr("dilations", []int64{2, 1}))
	}, map[graph.Op]int{graph.OpConvInputGrad: 2}},
	"same padding": {13, func(b *onnx.Builder, x string) string {
		return b.Op("Conv", "conv", []string{x, weight(b, "w", 4, 3, 3, 3)}, attr("auto_pad", "SAME_UPPER"))
	}, map[graph.Op]int{graph.OpConv: 1}},
	"layer norm and gelu taken apart": {11, func(b *onnx.Builder, x string) string {
		y := normalized(b, x, func(b *onnx.Builder, d, root string) string { return b.Op("Div", "x_hat", []string{d, root}) })
		y = b.Op("Add", "norm", []string{b.Op("Mul", "scaled", []string{y, weight(b, "scale", 8)}), weight(b, "shift", 8)})
		half := b.Op("Mul", "halved", []string{y, b.Float32s("half", []float32{0.5})})
		erf := b.Op("Erf", "erf", []string{b.Op("Mul", "inner", []string{y, b.Float32s("root", []float32{math.Sqrt2 / 2})})})
		return b.Op("Mul", "gelu", []string{half, b.Op("Add", "one_more", []string{erf, b.Float32s("one", []float32{1})})})
	}, map[graph.Op]int{graph.OpLayerNormalization: 1, graph.OpGelu: 1, graph.OpErf: 0, graph.OpDiv: 0, graph.OpMul: 0}},
	"layer norm by the reciprocal": {13, func(b *onnx.Builder, x string) string {
		y := normalized(b, x, func(b *onnx.Builder, d, root string) string {
			return b.Op("Mul", "x_hat", []string{b.Op("Reciprocal", "inverse", []string{root}), d})
		})
		return b.Op("Mul", "norm", []string{weight(b, "scale", 1, 1, 1, 8), y})
	}, map[graph.Op]int{graph.OpLayerNormalization: 1, graph.OpSub: 0, graph.OpMul: 0}},
	"no layer norm": {13, func(b *onnx.Builder, x string) string { // the variance is another tensor's
		y := b.Op("Sub", "less", []string{x, b.Op("ReduceMean", "mean", []string{x}, attr("axes", []int64{2}))})
		root := b.Op("Sqrt", "root", []string{b.Op("Add", "more", []string{b.Op("Mul", "squared", []string{x, x}), b.Float32s("eps", []float32{1e-5})})})
		return b.Op("Div", "y", []string{y, root})
	}, map[graph.Op]int{graph.OpLayerNormalization: 0, graph.OpDiv: 1}},
	"no gelu": {13, func(b *onnx.Builder, x string) string { // with another root
		erf := b.Op("Erf", "erf", []string{b.Op("Div", "inner", []string{x, b.Float32s("root", []float32{1.5})})})
		return b.Op("Mul", "y", []string{x, b.Op("Add", "one_more", []string{erf, b.Float32s("one", []float32{1})})})
	}, map[graph.Op]int{graph.OpGelu: 0, graph.OpErf: 1}},
	"tanh": {20, func(b *onnx.Builder, x string) string {
		return b.Op("Gelu", "y", []string{x}, attr("approximate", "tanh"))
	}, nil},
	"heads by shape arithmetic": {14, func(b *onnx.Builder, x string) string {
		shape := b.Op("Shape", "shape", []string{x})
		batch := b.Op("Gather", "batch", []string{shape, b.Const("zero", onnx.Int64, nil, onnx.Int64s([]int64{0}))}, attr("axis", int64(0)))
		size := b.Op("Gather", "size", []string{shape, b.Const("three", onnx.Int64, nil, onnx.Int64s([]int64{-1}))}, attr("axis", int64(0)))
		half := b.Op("Div", "half", []string{size, b.Const("three_int", onnx.Int64, nil, onnx.Int64s([]int64{3}))}) // 8/3 is 2
		axis := b.Int64s("axis0", 0)
		to := b.Op("Concat", "to", []string{b.Op("Unsqueeze", "batch1", []string{batch, axis}), b.Op("Unsqueeze", "half1", []string{half, axis}), b.Int64s("rest", -1, 4)}, attr("axis", int64(0)))
		y := b.Op("Transpose", "turned", []string{b.Op("Reshape", "heads", []string{x, to})}, attr("perm", []int64{0, 2, 1, 3}))
		root := b.Op("Sqrt", "root", []string{b.Op("Cast", "float", []string{half}, attr("to", int64(onnx.Float32)))})
		return b.Op("Softmax", "y", []string{b.Op("Mul", "scaled", []string{y, root})}, attr("axis", int64(1)))
	}, map[graph.Op]int{graph.OpSoftmax: 1, graph.OpMul: 1, graph.OpSqrt: 0}},
	"cuts": {13, func(b *onnx.Builder, x string) string {
		y := b.Op("Slice", "cut", []string{x, b.Int64s("starts", 1, -3), b.Int64s("ends", math.MaxInt64, -1), b.Int64s("axes", 1, 3)})
		parts := b.OpN("Split", 2, "parts", []string{y, b.Int64s("sizes", 3, 5)}, attr("axis", int64(2)))
		y = b.Op("Concat", "joined", []string{parts[1], parts[0]}, attr("axis", int64(2)))
		y = b.Op("Gather", "picked", []string{y, b.Int64s("picks", 5, 0, -1)}, attr("axis", int64(2)))
		y = b.Op("Squeeze", "first", []string{b.Op("Gather", "one", []string{y, b.Int64s("nought", 0)}, attr("axis", int64(1))), b.Int64s("axis1", 1)})
		return b.Op("Expand", "y", []string{b.Op("Unsqueeze", "again", []string{y, b.Int64s("axis2", 1)}), b.Int64s("wide", 4, 1, 1)})
	}, nil},
	"softmax of old": {11, func(b *onnx.Builder, x string) string {
		return b.Op("Softmax", "y", []string{x}, attr("axis", int64(2)))
	}, map[graph.Op]int{graph.OpSoftmax: 1}},
	"masked": {13, func(b *onnx.Builder, x string) string {
		mask := b.Op("Greater", "mask", []string{b.Op("ConstantOfShape", "noughts", []string{b.Int64s("eight", 8)}), b.Float32s("edge", random(8), 8)})
		return b.Op("Where", "y", []string{mask, x, b.Float32s("other", []float32{-7})})
	}, map[graph.Op]int{graph.OpWhere: 1}},
}

// normalized takes layer norm apart up to the quotient, which over makes of the difference and the root.
func normalized(b *onnx.Builder, x string, over func(b *onnx.Builder, d, root string) string) string {
	d := b.Op("Sub", "centred", []string{x, b.Op("ReduceMean", "mean", []string{x}, attr("axes", []int64{-1}))})
	square := b.Op("Pow", "square", []string{d, b.Float32s("two", []float32{2})})
	variance := b.Op("ReduceMean", "variance", []string{square}, attr("axes", []int64{-1}))
	return over(b, d, b.Op("Sqrt", "deviation", []string{b.Op("Add", "more", []string{variance, b.Float32s("eps", []float32{1e-5})})}))
}

func attr(name string, v any) onnx.Attr { return onnx.Attr{Name: name, Value: v} }

var source = rand.New(rand.NewPCG(7, 11))

func random(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(source.NormFloat64())
	}
	return out
}

func weight(b *onnx.Builder, name string, dims ...int64) string {
	n, _ := onnx.Elements(dims)
	return b.Float32s(name, random(int(n)), dims...)
}

func positive(b *onnx.Builder, name string, n int64) string {
	v := random(int(n))
	for i := range v {
		v[i] = 0.5 + v[i]*v[i]
	}
	return b.Float32s(name, v, n)
}

func model(opset int64, build func(b *onnx.Builder, x string) string) *onnx.Model {
	m := &onnx.Model{Name: "test", Opset: opset}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{Value: 8}, onnx.Dim{Value: 8})
	m.Outputs = []onnx.Value{{Name: build(b, x), Type: onnx.Float32}}
	return m
}

// run computes a part's outputs natively.
func run(t *testing.T, g *graph.Graph, part *raise.Part, inputs map[string][]float32) [][]float32 {
	t.Helper()
	return runWith(t, g, part, inputs, engine.Options{})
}

func runWith(t *testing.T, g *graph.Graph, part *raise.Part, inputs map[string][]float32, o engine.Options) [][]float32 {
	t.Helper()
	p, err := engine.Compile(g, part.Outputs, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range inputs {
		if err := p.Set(part.Inputs[name], v); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, n := range part.Outputs {
		out = append(out, p.Value(n))
	}
	return out
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

// runtime is ONNX Runtime's answer for a model of one input and one output.
func runtime(t *testing.T, m *onnx.Model, x []float32, dims []int64, size []int) []float32 {
	t.Helper()
	return runtimeOn(t, session.Options{Provider: session.CPU}, m, x, dims, size)
}

func runtimeOn(t *testing.T, o session.Options, m *onnx.Model, x []float32, dims []int64, size []int) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var to []int64
	for _, d := range size {
		to = append(to, int64(d))
	}
	out := make([]float32, graph.Shape(size).Size())
	err = s.Run(context.Background(), []session.Tensor{{Name: "x", Shape: dims, Data: x}}, []session.Tensor{{Name: m.Outputs[0].Name, Shape: to, Data: out}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// counts are the operations that the outputs need.
func counts(outputs []*graph.Node) map[graph.Op]int {
	seen, out := map[*graph.Node]bool{}, map[graph.Op]int{}
	var walk func(n *graph.Node)
	walk = func(n *graph.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		out[n.Op()]++
		for _, x := range n.Inputs() {
			walk(x)
		}
	}
	for _, n := range outputs {
		walk(n)
	}
	return out
}

// TestModels wants what ONNX Runtime computes, and forms that were taken apart recognised.
func TestModels(t *testing.T) { check(t, models) }

func check(t *testing.T, models map[string]example) {
	t.Helper()
	orttest.Require(t)
	for name, c := range models {
		m := model(c.opset, c.build)
		g := graph.New()
		part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": images}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for op, want := range c.want {
			if got := counts(part.Outputs)[op]; got != want {
				t.Errorf("%s: %d times %s, want %d", name, got, op, want)
			}
		}
		x := random(graph.Shape(images).Size())
		got := run(t, g, part, map[string][]float32{"x": x})[0]
		want := runtime(t, m, x, []int64{2, 3, 8, 8}, part.Outputs[0].Shape())
		if d := distance(got, want); !(d <= 1e-5) {
			t.Errorf("%s: %.2g away from ONNX Runtime's", name, d)
		}
	}
}

// TestPart raises the middle of a model: the rest may be anything, and weights of the rest are not declared.
func TestPart(t *testing.T) {
	m := model(13, func(b *onnx.Builder, x string) string {
		y := b.Op("Det", "odd", []string{b.Op("Mul", "begun", []string{x, weight(b, "unread", 8)})})
		y = b.Op("Add", "sum", []string{y, weight(b, "shift", 3)})
		return b.Op("Det", "end", []string{b.Op("Relu", "relu", []string{y})})
	})
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"odd": {2, 3}}, Outputs: []string{"relu", "sum"}})
	if err != nil {
		t.Fatal(err)
	}
	if ps := g.Parameters(true); len(ps) != 1 || ps[0].Name() != "shift" || part.Values["shift"] != ps[0] {
		t.Errorf("parameters %v, want shift alone", ps)
	}
	shift, err := g.Lookup("shift").Initial()
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, g, part, map[string][]float32{"odd": {-9, 0, 9, 9, 9, 9}})
	for i, x := range []float32{-9, 0, 9, 9, 9, 9} {
		if want := x + shift[i%3]; got[1][i] != want || got[0][i] != max(want, 0) {
			t.Errorf("element %d: %v and %v, want %v and its positive part", i, got[1][i], got[0][i], want)
		}
	}
}

// TestWrap puts something in the place of a weight and of a value.
func TestWrap(t *testing.T) {
	m := model(13, func(b *onnx.Builder, x string) string {
		return b.Op("Neg", "end", []string{b.Op("Mul", "product", []string{x, weight(b, "w", 8)})})
	})
	g := graph.New()
	var seen []string
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": images}, Wrap: func(name string, x *graph.Node) *graph.Node {
		seen = append(seen, name)
		switch name {
		case "w":
			return g.Scale(x, 0)
		case "product":
			return g.Add(x, g.Scalar(3))
		}
		return x
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range run(t, g, part, map[string][]float32{"x": random(384)})[0] {
		if v != -3 {
			t.Fatalf("%v, want -3", v)
		}
	}
	if strings.Join(seen, " ") != "x w product end" {
		t.Errorf("wrapped %v", seen)
	}
}

// TestLazy wants weights unread while a graph is built.
func TestLazy(t *testing.T) {
	m := model(13, func(b *onnx.Builder, x string) string {
		return b.Op("Mul", "y", []string{x, b.Const("w", onnx.Float32, []int64{8}, broken{})})
	})
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{"x": images}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Compile(g, part.Outputs, nil, engine.Options{}); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), `"w"`) {
		t.Errorf("error %v, want the weight's", err)
	}
}

var errBroken = errors.New("this weight cannot be read")

type broken struct{ onnx.Raw }

func (broken) Size() int64 { return 32 }

func (broken) WriteTo(io.Writer) (int64, error) { return 0, errBroken }

// TestErrors wants the node, the operator and how far the model was understood.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		build  func(b *onnx.Builder, x string) string
		inputs map[string][]int
		want   []string
	}{
		"unknown operator": {func(b *onnx.Builder, x string) string {
			return b.Op("Det", "odd", []string{b.Op("Relu", "relu", []string{x})})
		}, map[string][]int{"x": images}, []string{`Det "odd"`, "not known", `understood up to "relu" [2 3 8 8]`, "node 2 of 2"}},
		"no shape": {func(b *onnx.Builder, x string) string { return b.Op("Relu", "relu", []string{x}) }, nil, []string{"x float32 [N,3,8,8]", "no static shape"}},
		"no tensor": {func(b *onnx.Builder, x string) string { return b.Op("Relu", "relu", []string{x}) },
			map[string][]int{"y": images}, []string{`no tensor "y"`}},
		"shape by content": {func(b *onnx.Builder, x string) string {
			return b.Op("Reshape", "y", []string{x, b.Op("Cast", "whole", []string{x}, attr("to", int64(onnx.Int64)))})
		}, map[string][]int{"x": images}, []string{`Cast "whole"`, "depends on the input"}},
		"wrong shape": {func(b *onnx.Builder, x string) string { return b.Op("Add", "y", []string{x, weight(b, "w", 5)}) },
			map[string][]int{"x": images}, []string{`Add "y"`, "[5]"}},
		"huge": {func(b *onnx.Builder, x string) string {
			return b.Op("Add", "y", []string{x, b.Op("ConstantOfShape", "many", []string{b.Int64s("size", 1<<40, 1<<40)})})
		}, map[string][]int{"x": images}, []string{`ConstantOfShape "many"`, "at most"}},
	} {
		_, err := raise.Nodes(graph.New(), model(13, c.build), raise.Options{Inputs: c.inputs})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", name, err, want)
			}
		}
	}
}
