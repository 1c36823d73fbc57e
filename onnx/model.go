// Package onnx reads and writes ONNX models as data: graphs, weights and
// metadata, without a runtime. Weights are streamed in both directions, so a
// model's size on disk never has to fit into memory. Package ort runs models.
//
// The format is specified in https://github.com/onnx/onnx/blob/main/docs/IR.md.
package onnx

import (
	"cmp"
	"fmt"
	"strings"

	"graft/onnx/onnxpb"
)

// DType is the type of a tensor's elements, by its number in ONNX
// (TensorProto.DataType).
type DType int32

// The element types of ONNX that whole bytes hold.
const (
	Undefined DType = 0
	Float32   DType = 1
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Float64   DType = 11
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16
)

// sizes are the bytes of their elements, 0 where that is no fixed number.
var sizes = map[DType]int64{
	Undefined: 0, String: 0, Uint8: 1, Int8: 1, Bool: 1, Uint16: 2, Int16: 2, Float16: 2, BFloat16: 2,
	Float32: 4, Uint32: 4, Int32: 4, Float64: 8, Int64: 8, Uint64: 8,
}

// String returns the type's usual name, such as "float32".
func (d DType) String() string {
	if _, known := sizes[d]; !known {
		return fmt.Sprintf("type %d", int32(d))
	}
	name := strings.ToLower(onnxpb.TensorProto_DataType(d).String())
	return cmp.Or(map[string]string{"float": "float32", "double": "float64"}[name], name)
}

// Size is the number of bytes of one element; 0 for types whose elements have
// no fixed number of bytes or that this package does not know.
func (d DType) Size() int64 { return sizes[d] }

// Dim is one dimension of a Value. A Name makes it symbolic: any size, equal
// wherever the name appears. Neither name nor a positive value: unknown.
type Dim struct {
	Value int64
	Name  string
}

func (d Dim) String() string {
	switch {
	case d.Name != "":
		return d.Name
	case d.Value > 0:
		return fmt.Sprint(d.Value)
	}
	return "?"
}

// Value is an input or output of a model. Nil Dims mean that the rank is not
// known; an empty slice is a scalar.
type Value struct {
	Name string
	Type DType
	Dims []Dim
}

// String formats a value like "pixels uint8 [N,3,224,224]".
func (v Value) String() string {
	parts := make([]string, len(v.Dims))
	for i, d := range v.Dims {
		parts[i] = d.String()
	}
	return fmt.Sprintf("%s %v [%s]", v.Name, v.Type, strings.Join(parts, ","))
}

// Node is one operation. An empty string among Inputs is an optional input left
// out. An empty Domain is ONNX's own.
type Node struct {
	Op, Domain, Name string
	Inputs, Outputs  []string
	Attrs            []Attr

	extra *onnxpb.NodeProto // what was read and has no field here
}

// Attr is an attribute of a node. Value holds an int64, int, float32, string,
// []int64, []float32, []string or Tensor. Attributes of other kinds (graphs,
// types, lists of tensors) are kept as they were read, as a
// *onnxpb.AttributeProto.
type Attr struct {
	Name  string
	Value any
}

// Model is an ONNX model: one graph, its weights and its description.
type Model struct {
	Name, Doc                 string
	IRVersion                 int64            // 0: the oldest that fits Opset
	Opset                     int64            // version of ONNX's own operators
	Domains                   map[string]int64 // further operator sets, by domain
	Producer, ProducerVersion string
	Metadata                  map[string]string
	Inputs, Outputs           []Value
	NoTensors                 []string // outputs that are sequences and the like, which are left out, with what each is
	Nodes                     []Node
	Initializers              []Tensor

	extra extra  // what was read and has no field here
	files *files // behind lazily read weights
}

// extra is what a foreign model holds beyond the fields of Model: functions,
// annotations, hints about shapes. It is written back as it was read.
type extra struct {
	model *onnxpb.ModelProto // without its graph
	graph *onnxpb.GraphProto
}

// Close closes the files that Open left open for the weights. The Data of the
// model's tensors cannot be used any more.
func (m *Model) Close() error {
	if m.files == nil {
		return nil
	}
	err := m.files.Close()
	m.files = nil
	return err
}

// WeightBytes is the size of all initialisers in bytes.
func (m *Model) WeightBytes() int64 {
	var n int64
	for _, t := range m.Initializers {
		if t.Data != nil {
			n += t.Data.Size()
		}
	}
	return n
}
