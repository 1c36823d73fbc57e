package onnx_test

import (
	"strings"
	"testing"

	"graft/onnx"
)

// What a node may be depends on the model's operator set.
func TestValidateOperators(t *testing.T) {
	attr := func(name string, v any) []onnx.Attr { return []onnx.Attr{{Name: name, Value: v}} }
	for _, c := range []struct {
		name  string
		opset int64
		node  onnx.Node
		want  string // "" for valid
	}{
		{"Gemm without C", 11, onnx.Node{Op: "Gemm", Inputs: []string{"x", "x"}}, ""},
		{"Gemm without C, before", 10, onnx.Node{Op: "Gemm", Inputs: []string{"x", "x"}}, "2 inputs, want 3: the model is of operator set 10 and the node wants 11 or later"},
		{"Slice by inputs", 10, onnx.Node{Op: "Slice", Inputs: []string{"x", "i", "i"}}, ""},
		{"Slice by inputs, before", 9, onnx.Node{Op: "Slice", Inputs: []string{"x", "i", "i"}}, "wants 10 or later"},
		{"axes as attribute", 17, onnx.Node{Op: "ReduceMean", Inputs: []string{"x"}, Attrs: attr("axes", []int64{1})}, ""},
		{"axes as attribute, after", 18, onnx.Node{Op: "ReduceMean", Inputs: []string{"x"}, Attrs: attr("axes", []int64{1})}, `no attribute is called "axes"`},
		{"axes as input, before", 12, onnx.Node{Op: "Squeeze", Inputs: []string{"x", "i"}}, "wants 13 or later"},
		{"too new an operator", 19, onnx.Node{Op: "Gelu", Inputs: []string{"x"}}, "came with operator set 20: the model is of operator set 19 and the node wants 20"},
		{"withdrawn", 10, onnx.Node{Op: "Upsample", Inputs: []string{"x", "x"}}, "withdrawn with operator set 10"},
		{"unknown", 18, onnx.Node{Op: "Gemn", Inputs: []string{"x"}}, "no operator of this name"},
		{"set newer than the table", 1000, onnx.Node{Op: "Gemn", Inputs: []string{"x"}}, ""},
		{"any number of inputs", 18, onnx.Node{Op: "Concat", Inputs: []string{"x", "x", "x", "x"}, Attrs: attr("axis", 0)}, ""},
		{"attribute missing", 18, onnx.Node{Op: "Concat", Inputs: []string{"x"}}, `attribute "axis" is missing`},
		{"attribute of the wrong type", 18, onnx.Node{Op: "Concat", Inputs: []string{"x"}, Attrs: attr("axis", []int64{0})}, `attribute "axis" is INTS, want INT`},
		{"input left out", 18, onnx.Node{Op: "Gemm", Inputs: []string{"", "x"}}, "input 0 is left out"},
		{"optional input left out", 18, onnx.Node{Op: "Clip", Inputs: []string{"x", "", "x"}}, ""},
		{"a tool's own attribute", 18, onnx.Node{Op: "Neg", Inputs: []string{"x"}, Attrs: attr("__note", "n")}, ""},
		{"another domain", 18, onnx.Node{Op: "Gemn", Domain: "com.microsoft", Inputs: []string{"x"}, Attrs: attr("a", 1)}, ""},
	} {
		c.node.Outputs = []string{"y"}
		m := &onnx.Model{Opset: c.opset, Domains: map[string]int64{"com.microsoft": 1}, Nodes: []onnx.Node{c.node},
			Inputs: []onnx.Value{{Name: "x", Type: onnx.Float32}, {Name: "i", Type: onnx.Int64}}, Outputs: []onnx.Value{{Name: "y", Type: onnx.Float32}}}
		if err := m.Validate(); (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
