package onnx

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"graft/onnx/onnxpb"
)

func (v Value) proto() *onnxpb.ValueInfoProto {
	t := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(v.Type))}
	if v.Dims != nil {
		t.Shape = &onnxpb.TensorShapeProto{}
	}
	for _, d := range v.Dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if d.Name != "" {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Name}
		} else if d.Value > 0 {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.Value}
		}
		t.Shape.Dim = append(t.Shape.Dim, dim)
	}
	return &onnxpb.ValueInfoProto{
		Name: proto.String(v.Name),
		Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}},
	}
}

func (n Node) proto() (*onnxpb.NodeProto, error) {
	p := &onnxpb.NodeProto{}
	proto.Merge(p, n.extra)
	p.OpType, p.Name, p.Domain = proto.String(n.Op), optional(n.Name), optional(n.Domain)
	p.Input, p.Output = n.Inputs, n.Outputs
	for _, a := range n.Attrs {
		ap, err := a.proto()
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		p.Attribute = append(p.Attribute, ap)
	}
	return p, nil
}

func (a Attr) proto() (*onnxpb.AttributeProto, error) {
	p := &onnxpb.AttributeProto{Name: proto.String(a.Name)}
	switch v := a.Value.(type) {
	case int:
		p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(int64(v))
	case int64:
		p.Type, p.I = onnxpb.AttributeProto_INT.Enum(), proto.Int64(v)
	case float32:
		p.Type, p.F = onnxpb.AttributeProto_FLOAT.Enum(), proto.Float32(v)
	case string:
		p.Type, p.S = onnxpb.AttributeProto_STRING.Enum(), []byte(v)
	case []int64:
		p.Type, p.Ints = onnxpb.AttributeProto_INTS.Enum(), v
	case []float32:
		p.Type, p.Floats = onnxpb.AttributeProto_FLOATS.Enum(), v
	case []string:
		p.Type = onnxpb.AttributeProto_STRINGS.Enum()
		for _, s := range v {
			p.Strings = append(p.Strings, []byte(s))
		}
	case Tensor:
		t, err := v.proto()
		if err != nil {
			return nil, err
		}
		p.Type, p.T = onnxpb.AttributeProto_TENSOR.Enum(), t
	case *onnxpb.AttributeProto:
		return v, nil
	default:
		return nil, fmt.Errorf("no ONNX attribute holds a %T", a.Value)
	}
	return p, nil
}

// proto holds the content too: tensors in attributes are small.
func (t Tensor) proto() (*onnxpb.TensorProto, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := t.Data.WriteTo(&b); err != nil {
		return nil, err
	}
	return &onnxpb.TensorProto{Name: optional(t.Name), DataType: proto.Int32(int32(t.Type)), Dims: t.Dims, RawData: b.Bytes()}, nil
}
