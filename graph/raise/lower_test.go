package raise_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/lower"
	"graft/graph/raise"
	"graft/onnx"
)

// TestLowered: networks of our own that become ONNX and are raised again are the same graphs: operation by operation, with
// the same attributes, up to names and folded constants.
func TestLowered(t *testing.T) {
	for name, net := range map[string]nets.Net{
		"study cnn": nets.StudyCNN(7), "strong cnn": nets.StrongCNN(7), "study vit": nets.StudyViT(7), "strong vit": nets.StrongViT(7),
		"linear head": nets.Head{Features: 12, Outputs: 7, Standardize: true},
		"hidden head": nets.Head{Features: 12, Outputs: 7, Hidden: 8, Dropout: 0.5},
		"strong head": nets.Head{Features: 12, Outputs: 7, Hidden: 8, Members: 3, Standardize: true},
	} {
		g := graph.New()
		shape := append([]int{1}, net.InputShape()...)
		w, err := nets.Declare(g, net, nets.Init(net, 1))
		if err != nil {
			t.Fatal(err)
		}
		want := net.Forward(g, g.Input("x", shape...), w, nets.Mode{})
		m := &onnx.Model{Name: "test", Opset: lower.Opset}
		b := onnx.NewBuilder(m)
		dims := []onnx.Dim{{Name: "N"}}
		for _, d := range net.InputShape() {
			dims = append(dims, onnx.Dim{Value: int64(d)})
		}
		names, err := lower.Nodes(b, []*graph.Node{want}, lower.Options{Inputs: map[string]string{"x": b.Input("x", onnx.Float32, dims...)}})
		if err != nil {
			t.Fatal(err)
		}
		b.Output("y", names[0], onnx.Float32)
		part, err := raise.Nodes(graph.New(), m, raise.Options{Inputs: map[string][]int{"x": shape}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := same(part.Outputs[0], want, map[*graph.Node]bool{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// same tells where a graph differs from another.
func same(a, b *graph.Node, seen map[*graph.Node]bool) error {
	if seen[b] {
		return nil
	}
	seen[b] = true
	if !a.Shape().Equal(b.Shape()) {
		return fmt.Errorf("%v in the place of %v", a, b)
	}
	if leaf(a) && leaf(b) {
		return sameNumbers(a, b)
	}
	if a.Op() != b.Op() || !reflect.DeepEqual(rounded(a.Attrs()), rounded(b.Attrs())) {
		return fmt.Errorf("%v with %+v in the place of %v with %+v", a, a.Attrs(), b, b.Attrs())
	}
	for i := range b.Inputs() {
		if err := same(a.Inputs()[i], b.Inputs()[i], seen); err != nil {
			return err
		}
	}
	return nil
}

// rounded are attributes as ONNX keeps them, in float32.
func rounded(attrs any) any {
	if attrs == nil {
		return nil
	}
	v := reflect.New(reflect.TypeOf(attrs)).Elem()
	v.Set(reflect.ValueOf(attrs))
	for i := 0; v.Kind() == reflect.Struct && i < v.NumField(); i++ {
		if f := v.Field(i); f.Kind() == reflect.Float64 {
			f.SetFloat(float64(float32(f.Float())))
		}
	}
	return v.Interface()
}

func leaf(n *graph.Node) bool { return n.Op() == graph.OpParameter || n.Op() == graph.OpConstant }

func sameNumbers(a, b *graph.Node) error {
	x, err := graph.Evaluate(a)
	if err != nil {
		return err
	}
	y, err := graph.Evaluate(b)
	if err == nil && !slices.EqualFunc(x, y, func(x, y float64) bool { return float32(x) == float32(y) }) {
		err = fmt.Errorf("%v has other numbers than %v", a, b)
	}
	return err
}
