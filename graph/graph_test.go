package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func Example() {
	g := New()
	x := g.Input("x", 32, 400)
	w := g.Parameter("w", nil, 7, 400)
	b := g.Parameter("b", nil, 7)
	logits := g.Add(g.MatMulT(x, w, false, true), b)
	loss := g.CrossEntropy(logits, g.Input("targets", 32, 7), CrossEntropyOptions{})
	gradients, err := Gradient(loss, g.Parameters(false))
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, p := range g.Parameters(false) {
		fmt.Println(p, "has a gradient of shape", gradients[i].Shape())
	}
	// Output:
	// w [7 400] has a gradient of shape [7 400]
	// b [7] has a gradient of shape [7]
}

func ExampleGraph_Err() {
	g := New()
	end := g.Scope("layer1")
	h := g.MatMul(g.Input("x", 32, 400), g.Parameter("w", nil, 300, 7))
	h = g.Relu(h) // does nothing: the first error stays
	end()
	fmt.Println(g.Err())
	// Output: graph: layer1/MatMul_2 of [x [32 400] w [300 7]]: inner sizes differ: 400 and 300 in [32 400] and [300 7] (transposed: false, false)
}

// TestBuildErrors wants the first error, with what was wanted and got.
func TestBuildErrors(t *testing.T) {
	for _, c := range []struct {
		want  string
		build func(g *Graph, x *Node) // x is [2,3,4,5]
	}{
		{"do not broadcast at axis 3: 5 and 4", func(g *Graph, x *Node) { g.Add(x, g.Input("y", 4)) }},
		{"operand 0: wanted bool, got float", func(g *Graph, x *Node) { g.Where(x, x, x) }},
		{"operand 0: wanted float, got bool", func(g *Graph, x *Node) { g.Neg(g.Equal(x, x)) }},
		{"inner sizes differ: 5 and 4", func(g *Graph, x *Node) { g.MatMul(x, x) }},
		{"wanted matrices", func(g *Graph, x *Node) { g.MatMul(x, g.Input("v", 5)) }},
		{"batches: shapes", func(g *Graph, x *Node) { g.MatMulT(x, g.Input("y", 2, 2, 4, 5), false, true) }},
		{"wants 119 elements, got 120", func(g *Graph, x *Node) { g.Reshape(x, 7, 17) }},
		{"wants 119 elements, got 120", func(g *Graph, x *Node) { g.Reshape(x, 7, -1) }},
		{"size below 1", func(g *Graph, x *Node) { g.Reshape(x, 0, -1) }},
		{"wanted a permutation of 4 axes, got [0 1 2 2]", func(g *Graph, x *Node) { g.Transpose(x, 0, 1, 2, 2) }},
		{"does not expand to [2 3 4 1]", func(g *Graph, x *Node) { g.Expand(x, 2, 3, 4, 1) }},
		{"operand 1: wanted float [2 3 4 5] except along axis 1", func(g *Graph, x *Node) { g.Concat(1, x, g.Input("y", 2, 3, 4)) }},
		{"axis 7 is outside", func(g *Graph, x *Node) { g.Concat(7, x, x) }},
		{"range 2 to 6 is empty or outside size 5", func(g *Graph, x *Node) { g.Slice(x, -1, 2, 6) }},
		{"range 2 to 2 is empty", func(g *Graph, x *Node) { g.Slice(x, 3, 2, 2) }},
		{"axis 4 is outside a tensor of rank 4", func(g *Graph, x *Node) { g.Slice(x, 4, 0, 1) }},
		{"wanted padding for 4 axes", func(g *Graph, x *Node) { g.Pad(x, []int{1}, []int{1}) }},
		{"negative padding", func(g *Graph, x *Node) { g.Pad(x, []int{0, 0, 0, -1}, make([]int, 4)) }},
		{"operand 1: wanted int, got float", func(g *Graph, x *Node) { g.Gather(x, x) }},
		{"wanted rows for indices [3]", func(g *Graph, x *Node) { g.ScatterRows(x, g.Indices("i", 3), 5) }},
		{"axis -5 is outside", func(g *Graph, x *Node) { g.Sum(x, -5) }},
		{"axis 3 is given twice", func(g *Graph, x *Node) { g.Mean(x, 3, -1) }},
		{"wanted at least one axis", func(g *Graph, x *Node) { g.Softmax(g.Scalar(1)) }},
		{"operand 2: wanted shape [5], got [4]", func(g *Graph, x *Node) {
			g.LayerNorm(x, g.Input("s", 5), g.Input("b", 4), 1e-5)
		}},
		{"wanted 4 input channels, as the kernel has, in 1 groups, got 3", func(g *Graph, x *Node) { g.Conv(x, g.Input("w", 8, 4, 3, 3), nil, ConvAttrs{}) }},
		{"height: a window of 7 does not fit into 4 with padding 1", func(g *Graph, x *Node) {
			g.Conv(x, g.Input("w", 8, 3, 7, 3), nil, ConvAttrs{Pad: [2]int{1, 0}})
		}},
		{"bias: wanted shape [8], got [3]", func(g *Graph, x *Node) {
			g.Conv(x, g.Input("w", 8, 3, 3, 3), g.Input("b", 3), ConvAttrs{})
		}},
		{"kernel: wanted rank 4", func(g *Graph, x *Node) { g.Conv(x, g.Input("w", 3, 3), nil, ConvAttrs{}) }},
		{"stride and dilation of at least 1", func(g *Graph, x *Node) {
			g.Conv(x, g.Input("w", 8, 3, 1, 1), nil, ConvAttrs{Stride: [2]int{-1, 1}})
		}},
		{"output's gradient: wanted [2 8 2 3], got [2 8 4 5]", func(g *Graph, x *Node) {
			g.ConvWeightGrad(x, g.Input("dy", 2, 8, 4, 5), ConvAttrs{}, 3, 3)
		}},
		{"output's gradient: wanted [2 3 6 7], got [2 3 4 5]", func(g *Graph, x *Node) {
			g.ConvInputGrad(x, g.Input("w", 3, 1, 3, 3), ConvAttrs{}, 8, 9)
		}},
		{"covers no element", func(g *Graph, x *Node) {
			g.MaxPool(x, PoolAttrs{Kernel: [2]int{3, 3}, Pad: [2]int{3, 0}})
		}},
		{"kernel, stride and dilation of at least 1", func(g *Graph, x *Node) { g.AveragePool(x, PoolAttrs{}) }},
		{"wanted a probability", func(g *Graph, x *Node) { g.Dropout(x, g.Scalar(0), 1, 0) }},
		{"step: wanted a scalar", func(g *Graph, x *Node) { g.Dropout(x, x, 0.5, 0) }},
		{"the name is taken", func(g *Graph, x *Node) { g.Parameter("x", nil, 2) }},
		{"without a name", func(g *Graph, x *Node) { g.Input("", 2) }},
		{"wants 3 values, got 2", func(g *Graph, x *Node) { g.Parameter("w", make([]float32, 2), 3) }},
		{"wants 3 values, got 2", func(g *Graph, x *Node) { g.Constant(make([]float64, 2), 3) }},
		{"holds more than", func(g *Graph, x *Node) { g.Input("big", 1<<30, 1<<30, 1<<30) }},
		{"nil or of another graph", func(g *Graph, x *Node) { New().Relu(x); g.Relu(nil) }},
		{"nil or of another graph", func(g *Graph, x *Node) { g.Add(x, New().Input("x", 1)) }},
		{"only parameters are updated", func(g *Graph, x *Node) { g.Update(x, x) }},
		{"wanted float [2], got float [2 3 4 5]", func(g *Graph, x *Node) { g.Update(g.Parameter("w", nil, 2), x) }},
		{"it is updated twice", func(g *Graph, x *Node) {
			w := g.Parameter("w", nil, 2)
			g.Update(w, w)
			g.Update(w, w)
		}},
		{"wanted logits and targets of one shape", func(g *Graph, x *Node) { g.CrossEntropy(x, x, CrossEntropyOptions{}) }},
		{"wanted a smoothing", func(g *Graph, x *Node) {
			y := g.Reshape(x, 12, 10)
			g.CrossEntropy(y, y, CrossEntropyOptions{Smoothing: 1})
		}},
	} {
		g := New()
		c.build(g, g.Input("x", 2, 3, 4, 5))
		first := g.Err()
		if first == nil || !strings.Contains(first.Error(), c.want) || !strings.HasPrefix(first.Error(), "graph: ") {
			t.Errorf("wanted an error with %q, got %v", c.want, first)
		}
		if after := g.Relu(g.Input("more", 2)); after.Shape() != nil || after.Dim(0) != 0 || g.Err() != first {
			t.Errorf("building went on after %v", first)
		}
	}
}

func TestGradientErrors(t *testing.T) {
	for _, c := range []struct {
		want  string
		build func(g *Graph, w *Node) (loss *Node, wrt []*Node) // w is [2,1,4,4]
	}{
		{"wanted a scalar loss, got float [2 1 4 4]", func(_ *Graph, w *Node) (*Node, []*Node) { return w, []*Node{w} }},
		{"nil loss", func(_ *Graph, w *Node) (*Node, []*Node) { return nil, []*Node{w} }},
		{"lonely does not reach it", func(g *Graph, w *Node) (*Node, []*Node) {
			return g.Sum(w), []*Node{w, g.Parameter("lonely", nil, 2)}
		}},
		{"w does not reach it", func(g *Graph, w *Node) (*Node, []*Node) {
			return g.Sum(g.Where(g.Greater(w, g.Scalar(0)), g.Scalar(1), g.Scalar(2))), []*Node{w}
		}},
		{"operation MaxPoolGrad has no gradient rule", func(g *Graph, w *Node) (*Node, []*Node) {
			d, err := Gradient(g.Sum(g.MaxPool(w, Pool2(2))), []*Node{w})
			if err != nil {
				panic(err)
			}
			return g.Sum(g.Mul(d[0], d[0])), []*Node{w}
		}},
		{"do not broadcast", func(g *Graph, w *Node) (*Node, []*Node) { return g.Add(w, g.Input("y", 3)), []*Node{w} }},
	} {
		g := New()
		_, err := Gradient(c.build(g, g.Parameter("w", nil, 2, 1, 4, 4)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("wanted an error with %q, got %v", c.want, err)
		}
	}
}

// TestRulesAreChecked registers broken rules.
func TestRulesAreChecked(t *testing.T) {
	const broken Op = "Broken"
	defer delete(rows, broken)
	for want, grad := range map[string]rule{
		"gradient's shape: wanted [2 3], got [3 2]": func(g *Graph, _, dy *Node) []*Node { return []*Node{g.Transpose(dy)} },
		"wanted 1 gradients, got 2":                 func(_ *Graph, _, dy *Node) []*Node { return []*Node{dy, dy} },
		"do not broadcast":                          func(g *Graph, _, dy *Node) []*Node { return []*Node{g.Add(dy, g.Transpose(dy))} },
	} {
		register(broken, row{min: 1, max: 1, shape: elementwise(Float, Float), grad: grad})
		g := New()
		w := g.Parameter("w", nil, 2, 3)
		_, err := Gradient(g.Sum(g.apply(broken, nil, w)), []*Node{w})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Broken_1") {
			t.Errorf("wanted an error naming Broken_1 with %q, got %v", want, err)
		}
	}
}

// TestRows wants every row complete, and formulas of element-wise operations of the result's shape.
func TestRows(t *testing.T) {
	if len(Ops()) < 40 || !slices.IsSorted(Ops()) {
		t.Errorf("the operations are %v", Ops())
	}
	for _, op := range Ops() {
		r := rows[op]
		valued := (r.point != nil || r.formula != nil) != (r.naive != nil)
		if r.shape == nil || r.min < 1 || r.max < r.min || !valued || r.batch == nil && r.write != nil {
			t.Errorf("%s: incomplete row", op)
		}
		if r.grad == nil && !slices.Contains([]Op{OpMaxPoolGrad, OpAttentionGrad, OpLayerNormGrad, OpLayerNormScaleGrad}, op) {
			t.Errorf("%s: no gradient rule", op)
		}
		if r.point != nil && r.max > 3 {
			t.Errorf("%s: more operands than a point has", op)
		}
		if r.formula == nil {
			continue
		}
		g := New()
		var in []*Node
		for i := range r.min {
			in = append(in, g.Input(fmt.Sprint(i), 2, 3))
		}
		attrs := map[Op]any{OpClip: ClipAttrs{-1, 1}, OpLeakyRelu: LeakyReluAttrs{0.1}, OpHardSigmoid: HardSigmoidAttrs{0.2, 0.5}, OpSwish: SwishAttrs{2}}
		for _, n := range Formula(g.apply(op, attrs[op], in...)) {
			if len(n.in) > 0 && (rows[n.op].point == nil || !n.shape.Equal(Shape{2, 3})) {
				t.Errorf("%s: its formula holds %v", op, n)
			}
		}
	}
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct{ a, b, want Shape }{
		{Shape{}, Shape{2, 3}, Shape{2, 3}},
		{Shape{2, 1, 4}, Shape{3, 1}, Shape{2, 3, 4}},
		{Shape{1}, Shape{5}, Shape{5}},
		{Shape{2, 3}, Shape{2}, nil},
	} {
		for _, got := range [][2]Shape{{c.a, c.b}, {c.b, c.a}} {
			s, err := broadcast(got[0], got[1])
			if (err == nil) != (c.want != nil) || !s.Equal(c.want) {
				t.Errorf("%v and %v: wanted %v, got %v, %v", got[0], got[1], c.want, s, err)
			}
		}
	}
}

// TestSharedWeight wants the uses of a parameter summed, and scalars and scopes as documented.
func TestSharedWeight(t *testing.T) {
	g := New()
	w := g.Parameter("w", nil, 3)
	defer g.Scope("outer")()
	func() { defer g.Scope("inner")(); w = g.Lookup("w") }()
	d, err := Gradient(g.Sum(g.Mul(w, g.Add(w, w))), []*Node{w})
	if err != nil || d[0].Op() != OpAdd || !d[0].IsGradient() {
		t.Errorf("wanted a sum, got %v, %v", d, err)
	}
	if two := g.Scalar(2); two != g.Scalar(2) || two == g.Scalar(3) {
		t.Error("equal scalars are not shared, or others are")
	}
	if n := g.Neg(w); !strings.HasPrefix(n.Name(), "outer/Neg_") {
		t.Errorf("got the name %q", n.Name())
	}
}

func TestOptimizerErrors(t *testing.T) {
	for _, o := range []Optimizer{SGD{}, Adam{}} {
		g := New()
		w, rate := g.Parameter("w", nil, 3), g.Input("rate")
		if err := o.Apply(g, []*Node{w}, nil, rate); err == nil || !strings.Contains(err.Error(), "1 parameters but 0 gradients") {
			t.Errorf("%T: got %v", o, err)
		}
		if err := o.Apply(g, []*Node{w}, []*Node{w}, w); err == nil || !strings.Contains(err.Error(), "scalar learning rate") {
			t.Errorf("%T: got %v", o, err)
		}
		if err := o.Apply(g, []*Node{w}, []*Node{rate}, rate); err == nil {
			t.Errorf("%T: a gradient of another shape was accepted", o)
		}
	}
}

// TestMACs counts by hand: a convolution of 8 kernels 3·3·3 over 2·2·3 places, and products.
func TestMACs(t *testing.T) {
	g := New()
	x, w := g.Input("x", 2, 3, 4, 5), g.Parameter("w", nil, 8, 3, 3, 3)
	y := g.Conv(x, w, nil, ConvAttrs{})
	for _, c := range []struct {
		n    *Node
		want int
	}{
		{y, 2 * 8 * 2 * 3 * 27},
		{g.ConvInputGrad(y, w, ConvAttrs{}, 4, 5), 2 * 8 * 2 * 3 * 27},
		{g.ConvWeightGrad(x, y, ConvAttrs{}, 3, 3), 2 * 8 * 2 * 3 * 27},
		{g.MatMulT(x, x, false, true), 2 * 3 * 4 * 4 * 5},
		{g.MatMulT(x, x, true, false), 2 * 3 * 5 * 5 * 4},
		{g.Relu(x), 0},
	} {
		if got := MACs(c.n); got != c.want {
			t.Errorf("%v: wanted %d, got %d", c.n, c.want, got)
		}
	}
}

// TestGradientOfSlices wants the gradients of slices that make up a node joined, and those of others padded and added.
func TestGradientOfSlices(t *testing.T) {
	for name, c := range map[string]struct {
		cuts [][2]int
		pads int
	}{"all": {[][2]int{{4, 6}, {0, 3}, {3, 4}}, 0}, "with a gap": {[][2]int{{0, 3}, {4, 6}}, 2}, "twice": {[][2]int{{0, 3}, {0, 3}, {3, 6}}, 3}} {
		g := New()
		x := g.Parameter("x", nil, 2, 6)
		loss := g.Scalar(0)
		want := make([]float64, 12)
		for i, cut := range c.cuts {
			loss = g.Add(loss, g.Sum(g.Scale(g.Slice(x, 1, cut[0], cut[1]), float64(i+1))))
			for k := cut[0]; k < cut[1]; k++ {
				want[k], want[6+k] = want[k]+float64(i+1), want[6+k]+float64(i+1)
			}
		}
		d, err := Gradient(loss, []*Node{x})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Evaluate(d[0])
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
		pads := 0
		for _, n := range g.Nodes() {
			if n.Op() == OpPad && d[0].Op() == OpAdd {
				pads++
			}
		}
		if pads != c.pads {
			t.Errorf("%s: %d nodes padded, want %d", name, pads, c.pads)
		}
	}
}
