package onnx_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx"
	"graft/onnx/onnxpb"
)

// ifNode has a graph in an attribute that reads the names given.
func ifNode(reads ...string) onnx.Node {
	g := &onnxpb.GraphProto{Name: proto.String("then"), Output: []*onnxpb.ValueInfoProto{{Name: proto.String("inner")}}}
	g.Node = []*onnxpb.NodeProto{{OpType: proto.String("Sum"), Input: reads, Output: []string{"inner"}}}
	a := &onnxpb.AttributeProto{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
	other := &onnxpb.AttributeProto{Name: proto.String("else_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
	return onnx.Node{Op: "If", Name: "if", Inputs: []string{"cond"}, Outputs: []string{"z"}, Attrs: []onnx.Attr{{Name: "then_branch", Value: a}, {Name: "else_branch", Value: other}}}
}

func TestValidate(t *testing.T) {
	float := func(name string) onnx.Value { return onnx.Value{Name: name, Type: onnx.Float32} }
	weight := func(name string) onnx.Tensor {
		return onnx.Tensor{Name: name, Type: onnx.Float32, Dims: []int64{1}, Data: onnx.Float32s([]float32{3})}
	}
	base := func(change func(m *onnx.Model)) *onnx.Model {
		m := &onnx.Model{Opset: 17, Inputs: []onnx.Value{float("x"), {Name: "cond", Type: onnx.Bool}}, Outputs: []onnx.Value{float("y")},
			Initializers: []onnx.Tensor{weight("w")},
			Nodes:        []onnx.Node{{Op: "Add", Name: "add", Inputs: []string{"x", "w"}, Outputs: []string{"y"}}}}
		change(m)
		return m
	}
	tests := []struct {
		name   string
		change func(m *onnx.Model)
		want   string // "" for valid
	}{
		{"good", func(m *onnx.Model) {}, ""},
		{"optional input and output left out", func(m *onnx.Model) {
			m.Nodes[0] = onnx.Node{Op: "LSTM", Inputs: []string{"x", "w", "w", "", "", "w"}, Outputs: []string{"", "y", ""}}
		}, ""},
		{"graph inside reads the outer one", func(m *onnx.Model) { m.Nodes = append(m.Nodes, ifNode("x", "y")) }, ""},
		{"graph inside reads nothing known", func(m *onnx.Model) { m.Nodes = append(m.Nodes, ifNode("x", "q")) }, `"q" is not defined`},
		{"input undefined", func(m *onnx.Model) { m.Nodes[0].Inputs[1] = "v" }, `node 0 "add" (Add): input "v" is not defined`},
		{"used before defined", func(m *onnx.Model) {
			m.Nodes = append([]onnx.Node{{Op: "Neg", Inputs: []string{"y"}, Outputs: []string{"n"}}}, m.Nodes...)
		}, `input "y" is not defined before`},
		{"name taken by a node", func(m *onnx.Model) { m.Nodes[0].Outputs = []string{"x"} }, `output "x": the name is taken`},
		{"weights of one name", func(m *onnx.Model) { m.Initializers = append(m.Initializers, weight("w")) }, "the name is taken"},
		{"output not produced", func(m *onnx.Model) { m.Outputs = []onnx.Value{float("q")} }, "nothing produces it"},
		{"output twice", func(m *onnx.Model) { m.Outputs = append(m.Outputs, float("y")) }, "twice"},
		{"output without a type", func(m *onnx.Model) { m.Outputs[0].Type = 0 }, "no type"},
		{"no outputs", func(m *onnx.Model) { m.Outputs = nil }, "no outputs"},
		{"no opset", func(m *onnx.Model) { m.Opset = 0 }, "opset"},
		{"no operator", func(m *onnx.Model) { m.Nodes[0].Op = "" }, "no operator"},
		{"unnamed input", func(m *onnx.Model) { m.Inputs[0].Name = "" }, "without a name"},
		{"unknown domain", func(m *onnx.Model) { m.Nodes[0].Domain = "com.microsoft" }, "com.microsoft"},
		{"weight of the wrong size", func(m *onnx.Model) { m.Initializers[0].Dims = []int64{2} }, "wants 8 bytes"},
		{"attribute twice", func(m *onnx.Model) { m.Nodes[0].Attrs = []onnx.Attr{{"a", 1}, {"a", 2}} }, "twice"},
		{"attribute of no kind", func(m *onnx.Model) { m.Nodes[0].Attrs = []onnx.Attr{{"a", true}} }, "bool"},
	}
	for _, tt := range tests {
		err := base(tt.change).Validate()
		if tt.want == "" && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestPrune(t *testing.T) {
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32)
	cond := b.Input("cond", onnx.Bool)
	kept := b.Op("Add", "kept", []string{x, b.Float32s("w_kept", []float32{3})})
	captured := b.Op("Mul", "captured", []string{x, b.Float32s("w_captured", []float32{4})})
	dead := b.Op("Sub", "dead", []string{x, b.Float32s("w_dead", []float32{5})})
	b.Op("Neg", "dead_too", []string{dead})
	n := ifNode(captured)
	n.Inputs = []string{cond}
	m.Nodes = append(m.Nodes, n)
	b.Output("z", "z", onnx.Float32)
	b.Output("y", kept, onnx.Float32)
	data := encode(t, m)
	m = decode(t, data) // as read from a file
	m.Prune()
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	var got []string
	for _, n := range m.Nodes {
		got = append(got, n.Name)
	}
	for _, w := range m.Initializers {
		got = append(got, w.Name)
	}
	if want := "kept captured if y w_kept w_captured"; strings.Join(got, " ") != want {
		t.Errorf("left %v, want %s", got, want)
	}
	if len(m.Inputs) != 2 {
		t.Errorf("inputs %v, want both", m.Inputs)
	}
}

func TestBuilderNames(t *testing.T) {
	m := &onnx.Model{Opset: 17, Nodes: []onnx.Node{ifNode("x")}}
	b := onnx.NewBuilder(m)
	tests := []struct{ want, got string }{
		{"a", "a"}, {"a", "a_1"}, {"a", "a_2"}, {"a_1", "a_1_1"}, {"", "_1"}, {"if", "if_1"}, {"z", "z_1"}, {"inner", "inner_1"},
	}
	for _, tt := range tests {
		if got := b.Unique(tt.want); got != tt.got {
			t.Errorf("Unique(%q) = %q, want %q", tt.want, got, tt.got)
		}
	}
	if outs := b.OpN("Split", 2, "s", []string{"a"}); outs[0] != "s" || outs[1] != "s_1" {
		t.Errorf("OpN gives %v", outs)
	}
}
