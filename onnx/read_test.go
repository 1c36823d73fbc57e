package onnx_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/onnx"
	"graft/onnx/onnxpb"
)

// foreign is a model as other tools write it: an old format that lists weights
// as inputs, typed fields in place of raw bytes, hints, functions, notes.
func foreign() *onnxpb.ModelProto {
	value := func(name string, elem int32, dims ...int64) *onnxpb.ValueInfoProto {
		shape := &onnxpb.TensorShapeProto{}
		for _, d := range dims {
			shape.Dim = append(shape.Dim, &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		t := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(elem), Shape: shape}
		return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: t}}}
	}
	tensor := func(name string, elem onnx.DType, n int64, fill func(*onnxpb.TensorProto)) *onnxpb.TensorProto {
		t := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(elem)), Dims: []int64{n}}
		fill(t)
		return t
	}
	return &onnxpb.ModelProto{
		IrVersion: proto.Int64(3), ModelVersion: proto.Int64(5), Domain: proto.String("org.example"),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(8)}, {Domain: proto.String("com.example"), Version: proto.Int64(2)}},
		Functions:   []*onnxpb.FunctionProto{{Name: proto.String("f"), Domain: proto.String("com.example")}},
		Graph: &onnxpb.GraphProto{
			Name:      proto.String("g"),
			Input:     []*onnxpb.ValueInfoProto{value("x", 1, 2, -1), value("f32", 1, 2), value("i64", 7, 2)},
			Output:    []*onnxpb.ValueInfoProto{value("y", 1, 2)},
			ValueInfo: []*onnxpb.ValueInfoProto{value("y", 1, 2)},
			Node: []*onnxpb.NodeProto{{OpType: proto.String("Sum"), Domain: proto.String("ai.onnx"), Input: []string{"x", "f32"}, Output: []string{"y"},
				DocString: proto.String("where it came from"), Overload: proto.String("o")}},
			Initializer: []*onnxpb.TensorProto{
				tensor("f32", onnx.Float32, 2, func(t *onnxpb.TensorProto) { t.FloatData = []float32{1.25, -3} }),
				tensor("i64", onnx.Int64, 2, func(t *onnxpb.TensorProto) { t.Int64Data = []int64{-7, 1 << 40} }),
				tensor("f64", onnx.Float64, 2, func(t *onnxpb.TensorProto) { t.DoubleData = []float64{0.5, 3} }),
				tensor("f16", onnx.Float16, 2, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{0x3c00, 0xc000} }),
				tensor("bf16", onnx.BFloat16, 2, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{0x3f80, 0xc000} }),
				tensor("u8", onnx.Uint8, 3, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{1, 255, 0} }),
				tensor("i32", onnx.Int32, 1, func(t *onnxpb.TensorProto) { t.Int32Data = []int32{-5} }),
				tensor("u64", onnx.Uint64, 1, func(t *onnxpb.TensorProto) { t.Uint64Data = []uint64{1 << 63} }),
				tensor("none", onnx.Int16, 0, func(t *onnxpb.TensorProto) {}),
			},
		},
	}
}

func marshal(t testing.TB, p proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForeignModel(t *testing.T) {
	m := decode(t, marshal(t, foreign()))
	if len(m.Inputs) != 1 || m.Inputs[0].String() != "x float32 [2,?]" {
		t.Errorf("inputs %v, want x alone: weights fill the others", m.Inputs)
	}
	if m.Nodes[0].Domain != "" || m.Opset != 8 || m.Domains["com.example"] != 2 {
		t.Errorf("domain %q, opset %d, domains %v", m.Nodes[0].Domain, m.Opset, m.Domains)
	}
	want := map[string][]float32{"f32": {1.25, -3}, "f64": {0.5, 3}, "f16": {1, -2}, "bf16": {1, -2}}
	for _, w := range m.Initializers {
		if v, ok := want[w.Name]; ok {
			if got, err := w.Float32s(); err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%s: got %v, %v; want %v", w.Name, got, err, v)
			}
		}
	}
	if got, err := m.Initializers[1].Int64s(); err != nil || !reflect.DeepEqual(got, []int64{-7, 1 << 40}) {
		t.Errorf("i64: got %v, %v", got, err)
	}
	if got, err := m.Initializers[6].Int64s(); err != nil || !reflect.DeepEqual(got, []int64{-5}) {
		t.Errorf("i32: got %v, %v", got, err)
	}
}

// What Model has no field for survives reading and writing.
func TestForeignModelKeepsTheRest(t *testing.T) {
	back := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(encode(t, decode(t, marshal(t, foreign()))), back); err != nil {
		t.Fatal(err)
	}
	n := back.GetGraph().GetNode()[0]
	if n.GetDocString() != "where it came from" || n.GetOverload() != "o" || len(back.Functions) != 1 ||
		back.GetDomain() != "org.example" || back.GetModelVersion() != 5 || len(back.GetGraph().GetValueInfo()) != 1 || back.GetIrVersion() != 4 {
		t.Errorf("came back as %v", back)
	}
}

func TestReadRefuses(t *testing.T) {
	with := func(change func(p *onnxpb.ModelProto)) []byte {
		p := foreign()
		change(p)
		return marshal(t, p)
	}
	w0 := func(change func(w *onnxpb.TensorProto)) []byte {
		return with(func(p *onnxpb.ModelProto) { change(p.Graph.Initializer[0]) })
	}
	good := marshal(t, foreign())
	deep := []byte{}
	for range onnx.MaxDepth { // graph in an attribute of a node, again and again
		attr := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), deep)
		node := protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), attr)
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), node)
	}
	graphOf := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), b)
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "not an ONNX model"},
		{"a picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "not an ONNX model"},
		{"truncated", good[:len(good)-3], "truncated"},
		{"two graphs", append(bytes.Clone(good), graphOf(nil)...), "second graph"},
		{"nested too deep", graphOf(deep), "nested more than"},
		{"too many fields", graphOf(bytes.Repeat([]byte{0x10, 0}, onnx.MaxFields+1)), "fields beside"},
		{"too many nodes", graphOf(bytes.Repeat([]byte{0x0a, 0}, onnx.MaxFields/(1+onnx.MessageFields)+2)), "fields beside"},
		{"too many weights", graphOf(bytes.Repeat([]byte{0x2a, 0}, onnx.MaxInitializers+1)), "initialisers"},
		{"too much beside the weights", graphOf(append(protowire.AppendVarint([]byte{0x52}, onnx.MaxStructureBytes+1), make([]byte, onnx.MaxStructureBytes+1)...)), "bytes beside the weights"},
		{"external data", w0(func(w *onnxpb.TensorProto) {
			w.FloatData, w.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
			w.ExternalData = []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String("../weights.bin")}}
		}), `tensor "f32": its data lies in another file (../weights.bin)`},
		{"shape and content differ", w0(func(w *onnxpb.TensorProto) { w.Dims = []int64{3} }), "wants 12 bytes, got 8"},
		{"overflowing shape", w0(func(w *onnxpb.TensorProto) { w.Dims = []int64{1 << 62, 4} }), "too many elements"},
		{"negative shape", w0(func(w *onnxpb.TensorProto) { w.Dims = []int64{-1} }), "negative"},
		{"rank", w0(func(w *onnxpb.TensorProto) { w.Dims = make([]int64, 33) }), "33 dimensions"},
		{"strings", w0(func(w *onnxpb.TensorProto) { w.DataType = proto.Int32(8); w.StringData = [][]byte{{1}, {2}} }), "string"},
		{"no tensor in an attribute", with(func(p *onnxpb.ModelProto) {
			p.Graph.Node[0].Attribute = []*onnxpb.AttributeProto{{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum()}}
		}), `attribute "value": a tensor is announced`},
		{"segment", w0(func(w *onnxpb.TensorProto) { w.Segment = &onnxpb.TensorProto_Segment{} }), "segment"},
		{"a sequence out", with(func(p *onnxpb.ModelProto) {
			p.Graph.Output[0].Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{}}
		}), `output "y" is no tensor but a sequence`},
	}
	for _, tt := range tests {
		_, err := onnx.Read(bytes.NewReader(tt.data), int64(len(tt.data)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

// Every prefix of a model is an error or a smaller model, never a panic.
func TestReadPrefixes(t *testing.T) {
	data := encode(t, rich())
	for n := range data {
		if m, err := onnx.Read(bytes.NewReader(data[:n]), int64(n)); err == nil && n > 0 {
			if _, err := m.WriteTo(io.Discard); err != nil {
				t.Errorf("%d bytes read and not written: %v", n, err)
			}
		}
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.onnx")
	if err := os.WriteFile(path, []byte("hello, world"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, dir, filepath.Join(dir, "missing.onnx")} {
		if _, err := onnx.Open(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: got %v, want an error that names the file", p, err)
		}
		if _, err := onnx.OpenHeader(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("header of %s: got %v, want an error that names the file", p, err)
		}
	}
}

// countingReader counts the bytes that are read.
type countingReader struct {
	io.ReaderAt
	n int64
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// Neither Read nor ReadHeader touches the weights.
func TestWeightsAreLeftInTheFile(t *testing.T) {
	m := rich()
	for range 10 {
		onnx.NewBuilder(m).Float32s("big", make([]float32, 1<<18), 1<<18)
	}
	data := encode(t, m)
	for name, read := range map[string]func(io.ReaderAt, int64) (*onnx.Model, error){"Read": onnx.Read, "ReadHeader": onnx.ReadHeader} {
		c := &countingReader{ReaderAt: bytes.NewReader(data)}
		back, err := read(c, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if c.n > 200_000 {
			t.Errorf("%s read %d of %d bytes", name, c.n, len(data))
		}
		if !reflect.DeepEqual(back.Inputs, m.Inputs) || !reflect.DeepEqual(back.Outputs, m.Outputs) || !reflect.DeepEqual(back.Metadata, m.Metadata) {
			t.Errorf("%s: got %v %v %v", name, back.Inputs, back.Outputs, back.Metadata)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, rich()))
	f.Add(marshal(f, foreign()))
	f.Add([]byte{0x3a, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = onnx.ReadHeader(bytes.NewReader(data), int64(len(data)))
		m, err := onnx.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		_ = m.Validate()
		for _, w := range m.Initializers {
			_, _ = w.Float32s()
			_, _ = w.Int64s()
		}
		var first bytes.Buffer
		if _, err := m.WriteTo(&first); err != nil {
			return // invalid text, for instance
		}
		again, err := onnx.Read(bytes.NewReader(first.Bytes()), int64(first.Len()))
		if err != nil {
			t.Fatalf("read, written, and now unreadable: %v", err)
		}
		var second bytes.Buffer
		if _, err := again.WriteTo(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("written twice, the bytes differ (%v)", err)
		}
		m.Prune()
	})
}
