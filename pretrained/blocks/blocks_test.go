package blocks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// transformer is a network of so many blocks as exporters write it: taps leave it on the way.
func transformer(n int) *onnx.Model {
	m := &onnx.Model{Name: "test", Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 5}, onnx.Dim{Value: 4})
	w := b.Float32s("w", make([]float32, 16), 4, 4)
	x = b.Op("Add", "embeddings", []string{x, b.Float32s("positions", make([]float32, 20), 5, 4)})
	for i := range n {
		name := func(s string) string { return fmt.Sprintf("%d.%s", i, s) }
		q := b.Op("MatMul", name("q"), []string{x, w})
		a := b.Op("Softmax", name("weights"), []string{b.Op("MatMul", name("scores"), []string{q, b.Op("Transpose", name("k"), []string{q}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}})})})
		x = b.Op("Add", name("attended"), []string{x, b.Op("MatMul", name("mixed"), []string{a, q})})
		h := b.Op("Relu", name("hidden"), []string{b.Op("MatMul", name("fc1"), []string{x, w})})
		x = b.Op("Add", name("end"), []string{b.Op("MatMul", name("fc2"), []string{h, w}), x})
		b.Output(name("tap"), b.Op("ReduceMean", name("tap"), []string{x}), onnx.Float32)
	}
	b.Output("y", b.Op("Relu", "y", []string{x}), onnx.Float32)
	return m
}

func TestTransformer(t *testing.T) {
	cuts, err := Find(transformer(3), []int{2, 5, 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"embeddings", "0.end", "1.end", "2.end"}
	for i, c := range cuts {
		if i >= len(want) || c.Tensor != want[i] || c.Block != i || !slices.Equal(c.Shape, []int{2, 5, 4}) {
			t.Errorf("cut %d: %+v, want %v", i, c, want)
		}
		if i > 0 && strings.Join(c.Residuals, " ") != fmt.Sprintf("%d.mixed %d.fc2", i-1, i-1) {
			t.Errorf("residuals %v", c.Residuals)
		}
	}
	// Of a block: the query's and two of the perceptron's products of [2·5,4] with [4,4], and attention's two.
	if c := cuts[1]; c.MACs != 2*(3*2*5*16+2*2*5*5*4) || c.Parameters != 16 {
		t.Errorf("behind the first block: %d MACs, %d parameters", c.MACs, c.Parameters)
	}
	last, err := Last(cuts, 2)
	if err != nil || last.Tensor != "0.end" {
		t.Errorf("the last two blocks begin at %v, %v", last, err)
	}
	for _, n := range []int{0, 4} {
		if _, err := Last(cuts, n); err == nil || !strings.Contains(err.Error(), "want 1 to 3") {
			t.Errorf("the last %d: %v", n, err)
		}
	}
}

// convolutional builds a stem, residual units, and inverted ones, some of them without a residual sum.
func convolutional() *onnx.Model {
	m := &onnx.Model{Name: "test", Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 4}, onnx.Dim{Value: 8}, onnx.Dim{Value: 8})
	conv := func(name, x string, k, group int64) string {
		w := b.Float32s(name+".w", make([]float32, 4*4/group*k*k), 4, 4/group, k, k)
		return b.Op("Conv", name, []string{x, w}, onnx.Attr{Name: "group", Value: group}, onnx.Attr{Name: "pads", Value: []int64{k / 2, k / 2, k / 2, k / 2}})
	}
	relu := func(name, x string) string { return b.Op("Relu", name, []string{x}) }
	x = relu("stem", conv("stem.conv", x, 3, 1))
	for i := range 2 {
		name := fmt.Sprintf("residual.%d", i)
		y := conv(name+".2", relu(name+".1.relu", conv(name+".1", x, 3, 1)), 3, 1)
		x = relu(name, b.Op("Add", name+".sum", []string{y, x}))
	}
	for i := range 2 {
		name := fmt.Sprintf("inverted.%d", i)
		y := relu(name+".expand.relu", conv(name+".expand", x, 1, 1))
		x = conv(name, relu(name+".depthwise.relu", conv(name+".depthwise", y, 3, 4)), 1, 1)
	}
	y := conv("last.project", relu("last.depthwise.relu", conv("last.depthwise", relu("last.expand.relu", conv("last.expand", x, 1, 1)), 3, 4)), 1, 1)
	x = b.Op("Add", "last", []string{x, y})
	b.Output("y", b.Op("GlobalAveragePool", "y", []string{relu("end", conv("end.conv", x, 1, 1))}), onnx.Float32)
	return m
}

func TestConvolutional(t *testing.T) {
	cuts, err := Find(convolutional(), []int{1, 4, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cuts {
		got = append(got, c.Tensor)
	}
	if want := "stem residual.0 residual.1 inverted.0 inverted.1 last"; strings.Join(got, " ") != want {
		t.Errorf("cuts at %v, want %s", got, want)
	}
}

// TestTurns: two kinds of units that take turns are one block, and a network without units is cut before its weights.
func TestTurns(t *testing.T) {
	mixer, layers := &onnx.Model{Name: "test", Opset: 17}, &onnx.Model{Name: "test", Opset: 17}
	b := onnx.NewBuilder(mixer)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 4}, onnx.Dim{Value: 4})
	w := b.Float32s("w", make([]float32, 16), 4, 4)
	for i := range 3 {
		name := fmt.Sprint(i)
		y := b.Op("MatMul", name+".tokens", []string{b.Op("Transpose", name+".turned", []string{x}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}}), w})
		x = b.Op("Add", name+".mixed", []string{x, b.Op("Transpose", name+".back", []string{y}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}})})
		x = b.Op("Add", name+".end", []string{x, b.Op("Relu", name+".relu", []string{b.Op("MatMul", name+".channels", []string{x, w})})})
	}
	b.Output("y", b.Op("Relu", "y", []string{x}), onnx.Float32)
	b = onnx.NewBuilder(layers)
	x, w = b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 4}, onnx.Dim{Value: 4}), b.Float32s("w", make([]float32, 16), 4, 4)
	for _, name := range []string{"first", "second"} {
		x = b.Op("Relu", name, []string{b.Op("MatMul", name+".product", []string{x, w})})
	}
	b.Output("y", x, onnx.Float32)
	for want, m := range map[string]*onnx.Model{"x 0.end 1.end 2.end": mixer, "x first y": layers} {
		cuts, err := Find(m, []int{1, 4, 4})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range cuts {
			got = append(got, c.Tensor)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("cuts at %v, want %s", got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	plain := &onnx.Model{Name: "test", Opset: 17}
	b := onnx.NewBuilder(plain)
	b.Output("y", b.Op("Relu", "y", []string{b.Input("x", onnx.Float32, onnx.Dim{Name: "N"})}), onnx.Float32)
	if _, err := Find(plain, []int{3}); err == nil || !strings.Contains(err.Error(), "no repeating units") {
		t.Errorf("a network without blocks: %v", err)
	}
	plain.Nodes[0].Op = "Det"
	if _, err := Find(plain, []int{3}); err == nil || !strings.Contains(err.Error(), "Det") {
		t.Errorf("an operator that is not known: %v", err)
	}
}

func ExampleFind() {
	cuts, err := Find(transformer(12), []int{1, 5, 4})
	if err != nil {
		panic(err)
	}
	c, err := Last(cuts, 4)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Tensor, c.Block, c.Residuals)
	// Output: 7.end 8 [7.mixed 7.fc2]
}
