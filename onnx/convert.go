package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/onnx/onnxpb"
)

// fromProto turns a model and its graph into a Model, all but the weights. What
// Model has no field for stays in the messages, which it keeps.
func fromProto(mp *onnxpb.ModelProto, gp *onnxpb.GraphProto) (*Model, error) {
	m := &Model{
		Name: gp.GetName(), Doc: mp.GetDocString(), IRVersion: mp.GetIrVersion(),
		Producer: mp.GetProducerName(), ProducerVersion: mp.GetProducerVersion(),
		Metadata: map[string]string{}, Domains: map[string]int64{},
	}
	for _, o := range mp.OpsetImport {
		if d := o.GetDomain(); d == "" || d == "ai.onnx" {
			m.Opset = o.GetVersion()
		} else {
			m.Domains[d] = o.GetVersion()
		}
	}
	for _, e := range mp.MetadataProps {
		m.Metadata[e.GetKey()] = e.GetValue()
	}
	var err error
	if m.Inputs, err = valuesFrom("input", gp.Input); err != nil {
		return nil, err
	}
	tensors := slices.DeleteFunc(slices.Clone(gp.Output), func(p *onnxpb.ValueInfoProto) bool { return p.GetType().GetTensorType() == nil })
	if len(tensors) == 0 {
		tensors = gp.Output // to be told what they are
	}
	for _, p := range gp.Output {
		if p.GetType().GetTensorType() == nil {
			m.NoTensors = append(m.NoTensors, fmt.Sprintf("%s, %s", p.GetName(), typeName(p.GetType())))
		}
	}
	if m.Outputs, err = valuesFrom("output", tensors); err != nil {
		return nil, err
	}
	for i, np := range gp.Node {
		n, err := nodeFrom(np)
		if err != nil {
			return nil, fmt.Errorf("node %d %q (%s): %w", i, np.GetName(), np.GetOpType(), err)
		}
		m.Nodes = append(m.Nodes, n)
	}
	mp.IrVersion, mp.ProducerName, mp.ProducerVersion, mp.DocString = nil, nil, nil, nil
	mp.OpsetImport, mp.MetadataProps = nil, nil
	gp.Name, gp.Node, gp.Input, gp.Output = nil, nil, nil, nil
	m.extra = extra{mp, gp}
	return m, nil
}

func valuesFrom(kind string, list []*onnxpb.ValueInfoProto) ([]Value, error) {
	out := make([]Value, 0, len(list))
	for _, p := range list {
		tt := p.GetType().GetTensorType()
		if tt == nil {
			return nil, fmt.Errorf("%s %q is no tensor but %s; graft handles tensors only", kind, p.GetName(), typeName(p.GetType()))
		}
		v := Value{Name: p.GetName(), Type: DType(tt.GetElemType())}
		if tt.Shape != nil {
			v.Dims = make([]Dim, 0, len(tt.Shape.Dim))
		}
		if len(tt.GetShape().GetDim()) > maxRank {
			return nil, fmt.Errorf("%s %q has %d dimensions, at most %d are read", kind, p.GetName(), len(tt.Shape.Dim), maxRank)
		}
		for _, d := range tt.GetShape().GetDim() {
			v.Dims = append(v.Dims, Dim{Value: max(d.GetDimValue(), 0), Name: d.GetDimParam()})
		}
		out = append(out, v)
	}
	return out, nil
}

func typeName(t *onnxpb.TypeProto) string {
	switch t.GetValue().(type) {
	case *onnxpb.TypeProto_SequenceType:
		return "a sequence"
	case *onnxpb.TypeProto_MapType:
		return "a map"
	case *onnxpb.TypeProto_OptionalType:
		return "an optional value"
	case *onnxpb.TypeProto_SparseTensorType:
		return "a sparse tensor"
	}
	return "of no stated type"
}

func nodeFrom(p *onnxpb.NodeProto) (Node, error) {
	n := Node{Op: p.GetOpType(), Domain: p.GetDomain(), Name: p.GetName(), Inputs: p.Input, Outputs: p.Output}
	if n.Domain == "ai.onnx" {
		n.Domain = ""
	}
	for _, a := range p.Attribute {
		v, err := attrFrom(a)
		if err != nil {
			return Node{}, fmt.Errorf("attribute %q: %w", a.GetName(), err)
		}
		n.Attrs = append(n.Attrs, v)
	}
	p.OpType, p.Domain, p.Name, p.Input, p.Output, p.Attribute = nil, nil, nil, nil, nil, nil
	if proto.Size(p) > 0 {
		n.extra = p
	}
	return n, nil
}

func attrFrom(p *onnxpb.AttributeProto) (Attr, error) {
	a := Attr{Name: p.GetName(), Value: p}
	if p.GetRefAttrName() != "" {
		return a, nil
	}
	switch p.GetType() {
	case onnxpb.AttributeProto_INT:
		a.Value = p.GetI()
	case onnxpb.AttributeProto_FLOAT:
		a.Value = p.GetF()
	case onnxpb.AttributeProto_STRING:
		a.Value = string(p.S)
	case onnxpb.AttributeProto_INTS:
		a.Value = append([]int64{}, p.Ints...)
	case onnxpb.AttributeProto_FLOATS:
		a.Value = append([]float32{}, p.Floats...)
	case onnxpb.AttributeProto_STRINGS:
		list := make([]string, len(p.Strings))
		for i, s := range p.Strings {
			list[i] = string(s)
		}
		a.Value = list
	case onnxpb.AttributeProto_TENSOR:
		if p.T == nil {
			return Attr{}, errors.New("a tensor is announced and none is there")
		}
		if DType(p.T.GetDataType()) == String {
			return a, nil // kept as it is
		}
		t, err := tensorFrom(p.T, func(protowire.Number) Raw { return nil })
		if err != nil {
			return Attr{}, err
		}
		a.Value = t
	}
	return a, nil
}

// tensorFrom makes a tensor of p; lazy returns content that was left in the
// file, by field, or nil.
func tensorFrom(p *onnxpb.TensorProto, lazy func(protowire.Number) Raw) (Tensor, error) {
	t := Tensor{Name: p.GetName(), Type: DType(p.GetDataType()), Dims: p.Dims}
	if p.Segment != nil {
		return Tensor{}, fmt.Errorf("tensor %q is one segment of several: not supported", t.Name)
	}
	if len(t.Dims) > maxRank {
		return Tensor{}, fmt.Errorf("tensor %q has %d dimensions, at most %d are read", t.Name, len(t.Dims), maxRank)
	}
	data, err := contentOf(t, p, lazy)
	if err != nil {
		return Tensor{}, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	t.Data = data
	return t, t.check()
}

// contentOf finds the one field that holds the elements.
func contentOf(t Tensor, p *onnxpb.TensorProto, lazy func(protowire.Number) Raw) (Raw, error) {
	if raw := lazy(tensorRaw); raw != nil {
		return raw, nil
	}
	if p.RawData != nil {
		return Bytes(p.RawData), nil
	}
	if n, err := Elements(t.Dims); err == nil && n == 0 {
		return Bytes(nil), nil
	}
	switch t.Type {
	case Float32:
		return cmp.Or(lazy(tensorFloats), Float32s(p.FloatData)), nil
	case Float64:
		return cmp.Or[Raw](lazy(tensorDoubles), numbers[float64](p.DoubleData)), nil
	case Int64:
		return Int64s(p.Int64Data), nil
	case Uint32:
		return packed(p.Uint64Data, func(v uint64) uint32 { return uint32(v) }), nil
	case Uint64:
		return numbers[uint64](p.Uint64Data), nil
	case Int32:
		return numbers[int32](p.Int32Data), nil
	case Int16, Uint16, Float16, BFloat16:
		return packed(p.Int32Data, func(v int32) uint16 { return uint16(v) }), nil
	case Int8, Uint8, Bool:
		return packed(p.Int32Data, func(v int32) byte { return byte(v) }), nil
	}
	return nil, errors.New("content of " + t.Type.String() + " is read as raw bytes only")
}

// packed are elements that ONNX keeps in a wider type.
func packed[T, E any](v []T, narrow func(T) E) Raw {
	out := make(numbers[E], len(v))
	for i, x := range v {
		out[i] = narrow(x)
	}
	return out
}
