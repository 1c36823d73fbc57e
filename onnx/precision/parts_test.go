package precision

import (
	"math"
	"math/rand/v2"
	"testing"

	"graft/onnx"
)

// TestQuantize compares with the definition in float64: every weight within half
// a step of its column, the largest at ±127.
func TestQuantize(t *testing.T) {
	const rows, cols = 37, 11
	rng := rand.New(rand.NewPCG(4, 4))
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(rng.NormFloat64() * math.Pow(10, float64(i%cols-5)))
		if i%cols == 3 {
			w[i] = 0
		}
	}
	q, err := quantize(w, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	for j := range cols {
		top, most, sum := 0.0, 0, 0.0
		for i := range rows {
			v, n := float64(w[i*cols+j]), int(int8(q.ints[i*cols+j]))
			top, most = max(top, math.Abs(v)), max(most, n, -n)
			sum += float64(n) * float64(q.scale[j])
			if apart := math.Abs(v - float64(n)*float64(q.scale[j])); !(apart <= 0.5001*float64(q.scale[j])) {
				t.Errorf("weight %d,%d: %g became %d·%g", i, j, v, n, q.scale[j])
			}
		}
		wantScale, wantMost := top/127, 127
		if j == 3 {
			wantScale, wantMost = 1, 0
		}
		if !(math.Abs(float64(q.scale[j])-wantScale) <= 1e-6*wantScale) || most != wantMost {
			t.Errorf("column %d: scale %g, want %g; largest %d", j, q.scale[j], wantScale, most)
		}
		if !(math.Abs(float64(q.sums[j])-sum) <= 1e-6*top*rows) {
			t.Errorf("column %d: sum %g, want %g", j, q.sums[j], sum)
		}
	}
}

// TestQuantizeSmallest: a column of subnormal numbers has no step of its own
// size, and stays within int8.
func TestQuantizeSmallest(t *testing.T) {
	tiny := float32(math.SmallestNonzeroFloat32)
	q, err := quantize([]float32{tiny, -100 * tiny, 200 * tiny}, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range q.ints {
		if int8(n) == -128 {
			t.Errorf("weight %d is -128", i)
		}
	}
	if !(q.scale[0] > 0) {
		t.Errorf("scale %g", q.scale[0])
	}
}

func TestFloor(t *testing.T) {
	op := func(n *network, op string, inputs ...string) string { return n.Op(op, "v", inputs) }
	num := func(n *network, v float32) string { return n.Float32s("c", []float32{v}) }
	for _, c := range []struct {
		name  string
		build func(n *network, x string) string
		want  float64
		ok    bool
	}{
		{"gelu", gelu, -0.16997, true},
		{"relu", func(n *network, x string) string { return op(n, "Relu", x) }, 0, true},
		{"silu", func(n *network, x string) string { return op(n, "Mul", x, op(n, "Sigmoid", x)) }, -0.27846, true},
		{"tanh gelu", func(n *network, x string) string {
			y := op(n, "Add", x, op(n, "Mul", op(n, "Pow", x, num(n, 3)), num(n, 0.044715)))
			y = op(n, "Tanh", op(n, "Mul", y, num(n, 0.7978845)))
			return op(n, "Mul", op(n, "Mul", x, num(n, 0.5)), op(n, "Add", y, num(n, 1)))
		}, -0.17004, true},
		{"the value itself", func(_ *network, x string) string { return x }, 0, false},
		{"not bounded", func(n *network, x string) string { return op(n, "Mul", x, num(n, 0.5)) }, 0, false},
		{"pole", func(n *network, x string) string { return op(n, "Div", num(n, 1), x) }, 0, false},
		{"two values", func(n *network, x string) string {
			return op(n, "Mul", op(n, "Sigmoid", x), n.Input("other", onnx.Float32, onnx.Dim{Name: "N"}))
		}, 0, false},
		{"a constant per channel", func(n *network, x string) string {
			return op(n, "Mul", op(n, "Relu", x), n.Float32s("c", []float32{1, -2}))
		}, 0, false},
		{"no known operator", func(n *network, x string) string { return op(n, "Elu", x) }, 0, false},
	} {
		n := newNetwork(18)
		y := c.build(n, n.Input("x", onnx.Float32, onnx.Dim{Name: "N"}))
		got, ok := newGraph(n.Model).floor(y)
		if ok != c.ok || ok && !(math.Abs(got-c.want) <= 1e-4) {
			t.Errorf("%s: %g, %v, want %g, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// TestFloorReadsConstantNodes: other exporters keep numbers in Constant nodes.
func TestFloorReadsConstantNodes(t *testing.T) {
	n := newNetwork(18)
	x := n.Input("x", onnx.Float32, onnx.Dim{Name: "N"})
	c := n.Op("Constant", "c", nil, onnx.Attr{Name: "value", Value: onnx.Tensor{Type: onnx.Float32, Data: onnx.Float32s([]float32{-3})}})
	y := n.Op("Sub", "y", []string{n.Op("Sigmoid", "s", []string{n.Op("Mul", "m", []string{x, c})}), n.Float32s("half", []float32{0.5})})
	if got, ok := newGraph(n.Model).floor(y); !ok || !(math.Abs(got+0.5) <= 1e-4) {
		t.Errorf("%g, %v, want -0.5", got, ok)
	}
}
