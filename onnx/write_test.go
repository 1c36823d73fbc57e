package onnx_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx"
	"graft/onnx/onnxpb"
)

// rich has every kind of attribute, weights of several types and scalars.
func rich() *onnx.Model {
	m := &onnx.Model{
		Name: "rich", Doc: "a test", Opset: 17, Domains: map[string]int64{"com.microsoft": 1, "a.b": 3},
		Producer: "graft", ProducerVersion: "v1", Metadata: map[string]string{"z": "26", "a": "1", "m": ""},
	}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{})
	w := b.Float32s("w", []float32{1.5, -2, math.MaxFloat32, 1e-40, 0, 7}, 2, 3)
	h := b.Const("h", onnx.Float16, []int64{3}, onnx.Float16s([]float32{1, 65504, -0.5}))
	i := b.Int64s("i", 1, -1, math.MaxInt64)
	s := b.Float32s("s", []float32{2.5})
	y := b.Op("Everything", "y", []string{x, w, h, i, s, ""},
		onnx.Attr{Name: "int", Value: 7}, onnx.Attr{Name: "int64", Value: int64(-1)}, onnx.Attr{Name: "float", Value: float32(0.1)},
		onnx.Attr{Name: "string", Value: "half_pixel"}, onnx.Attr{Name: "ints", Value: []int64{1, 2}}, onnx.Attr{Name: "floats", Value: []float32{0.5}},
		onnx.Attr{Name: "strings", Value: []string{"a", ""}},
		onnx.Attr{Name: "tensor", Value: onnx.Tensor{Name: "t", Type: onnx.Uint8, Dims: []int64{2}, Data: onnx.Bytes([]byte{3, 4})}})
	m.Nodes[0].Domain = "a.b"
	b.Output("out", y, onnx.Float32, onnx.Dim{Name: "N"})
	return m
}

func encode(t testing.TB, m *onnx.Model) []byte {
	t.Helper()
	var buf bytes.Buffer
	n, err := m.WriteTo(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(buf.Len()) {
		t.Fatalf("WriteTo returned %d, wrote %d", n, buf.Len())
	}
	return buf.Bytes()
}

func decode(t testing.TB, data []byte) *onnx.Model {
	t.Helper()
	m, err := onnx.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	m := rich()
	data := encode(t, m)
	back := decode(t, data)
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
	if back.IRVersion != 8 {
		t.Errorf("IR version %d for opset 17, want 8", back.IRVersion)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"inputs", back.Inputs, m.Inputs}, {"outputs", back.Outputs, m.Outputs}, {"metadata", back.Metadata, m.Metadata},
		{"domains", back.Domains, m.Domains}, {"opset", back.Opset, m.Opset}, {"doc", back.Doc, m.Doc},
		{"producer", back.Producer + back.ProducerVersion, m.Producer + m.ProducerVersion}, {"name", back.Name, m.Name},
		{"weights", back.WeightBytes(), int64(6*4 + 3*2 + 3*8 + 4)},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if again := encode(t, back); !bytes.Equal(again, data) {
		t.Error("reading and writing again changes bytes")
	}
	checkAttrs(t, back.Nodes[0])
}

func checkAttrs(t *testing.T, n onnx.Node) {
	t.Helper()
	want := map[string]any{"int": int64(7), "int64": int64(-1), "float": float32(0.1), "string": "half_pixel",
		"ints": []int64{1, 2}, "floats": []float32{0.5}, "strings": []string{"a", ""}}
	for _, a := range n.Attrs {
		if w, ok := want[a.Name]; ok && !reflect.DeepEqual(a.Value, w) {
			t.Errorf("attribute %s: got %#v, want %#v", a.Name, a.Value, w)
		}
		delete(want, a.Name)
	}
	if len(want) != 0 {
		t.Errorf("attributes lost: %v", want)
	}
}

// The generated messages read the file as well: it is protocol buffers that
// others understand.
func TestWrittenBytesAreAModelProto(t *testing.T) {
	m := rich()
	p := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(encode(t, m), p); err != nil {
		t.Fatal(err)
	}
	if got := p.GetGraph().GetInitializer()[0]; got.GetName() != "w" || !bytes.Equal(got.RawData[:4], []byte{0, 0, 0xc0, 0x3f}) {
		t.Errorf("first weight %v", got)
	}
	var keys []string
	for _, e := range p.MetadataProps {
		keys = append(keys, e.GetKey())
	}
	if strings.Join(keys, "") != "amz" {
		t.Errorf("metadata keys %v are not sorted", keys)
	}
}

func TestSameModelSameBytes(t *testing.T) {
	first := encode(t, rich())
	for range 20 {
		if !bytes.Equal(first, encode(t, rich())) {
			t.Fatal("the same model gives other bytes")
		}
	}
}

func TestWeightsRoundTrip(t *testing.T) {
	m := decode(t, encode(t, rich()))
	want := []float32{1.5, -2, math.MaxFloat32, 1e-40, 0, 7}
	if got, err := m.Initializers[0].Float32s(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("w: got %v, %v; want %v", got, err, want)
	}
	if got, err := m.Initializers[1].Float32s(); err != nil || !reflect.DeepEqual(got, []float32{1, 65504, -0.5}) {
		t.Errorf("h: got %v, %v", got, err)
	}
	if got, err := m.Initializers[2].Int64s(); err != nil || !reflect.DeepEqual(got, []int64{1, -1, math.MaxInt64}) {
		t.Errorf("i: got %v, %v", got, err)
	}
	if got, err := m.Initializers[3].Float32s(); err != nil || !reflect.DeepEqual(got, []float32{2.5}) || len(m.Initializers[3].Dims) != 0 {
		t.Errorf("scalar s: got %v %v, %v", got, m.Initializers[3].Dims, err)
	}
	if _, err := m.Initializers[2].Float32s(); err == nil {
		t.Error("int64 read as float32")
	}
	if _, err := m.Initializers[0].Int64s(); err == nil {
		t.Error("float32 read as int64")
	}
}

// Content larger than the conversion's buffer, in odd pieces.
func TestLargeWeights(t *testing.T) {
	v := make([]float32, 100_003)
	for i := range v {
		v[i] = float32(i)*0.37 - 9
	}
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	b.Output("y", b.Op("Identity", "y", []string{b.Float32s("w", v)}), onnx.Float32)
	got, err := decode(t, encode(t, m)).Initializers[0].Float32s()
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%d values came back different, %v", len(v), err)
	}
	odd := onnx.Tensor{Name: "odd", Type: onnx.Float32, Dims: []int64{100_003}, Data: oddPieces{onnx.Float32s(v)}}
	if got, err := odd.Float32s(); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("written in pieces of 7 bytes the values differ, %v", err)
	}
}

type oddPieces struct{ onnx.Raw }

func (o oddPieces) WriteTo(w io.Writer) (int64, error) {
	var buf bytes.Buffer
	if _, err := o.Raw.WriteTo(&buf); err != nil {
		return 0, err
	}
	var n int64
	for buf.Len() > 0 {
		k, err := w.Write(buf.Next(7))
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// fakeRaw announces a size and writes another.
type fakeRaw struct{ size, writes int64 }

func (f fakeRaw) Size() int64 { return f.size }
func (f fakeRaw) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(make([]byte, f.writes))
	return int64(n), err
}

// floats is a vector.
func floats(name string, v ...float32) onnx.Tensor {
	return onnx.Tensor{Name: name, Type: onnx.Float32, Dims: []int64{int64(len(v))}, Data: onnx.Float32s(v)}
}

// Masks are infinite where nothing is to be seen.
func TestMasksAreWritten(t *testing.T) {
	m, masked := rich(), float32(math.Inf(-1))
	m.Initializers = append(m.Initializers, floats("limit", masked), onnx.Tensor{Name: "mask", Type: onnx.Float32, Dims: []int64{2, 2}, Data: onnx.Float32s([]float32{0, masked, 0, 0})})
	if _, err := m.WriteTo(io.Discard); err != nil {
		t.Error(err)
	}
}

// What was written is tried before it takes its name: it is whole by then, and what fails leaves the old file.
func TestWriteFileTries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := rich().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := rich()
	m.Name = "other"
	want, refused := encode(t, m), errors.New("refused")
	err = m.WriteFile(path, func(tried string) error {
		if got, err := os.ReadFile(tried); err != nil || !bytes.Equal(got, want) || tried == path {
			t.Errorf("%s is tried: %v, %d bytes, want %d", tried, err, len(got), len(want))
		}
		return refused
	})
	if got, _ := os.ReadFile(path); !errors.Is(err, refused) || !strings.Contains(err.Error(), path) || !bytes.Equal(got, old) {
		t.Errorf("error %v; the old file has %d bytes now", err, len(got))
	}
}

func TestWriteRefuses(t *testing.T) {
	model := func(tensors ...onnx.Tensor) *onnx.Model {
		m := rich()
		m.Initializers = append(m.Initializers, tensors...)
		return m
	}
	with := func(change func(m *onnx.Model)) *onnx.Model {
		m := rich()
		change(m)
		return m
	}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"over 2 GiB", model(onnx.Tensor{Name: "big", Type: onnx.Uint8, Dims: []int64{1 << 31}, Data: fakeRaw{size: 1 << 31}}), "at most 2147483647"},
		{"over 2 GiB in sum", model(onnx.Tensor{Name: "a", Type: onnx.Uint8, Dims: []int64{1 << 30}, Data: fakeRaw{size: 1 << 30}},
			onnx.Tensor{Name: "b", Type: onnx.Uint8, Dims: []int64{1 << 30}, Data: fakeRaw{size: 1 << 30}}), "float16"},
		{"no data", model(onnx.Tensor{Name: "empty", Type: onnx.Float32}), `"empty" has no data`},
		{"wrong size", model(onnx.Tensor{Name: "short", Type: onnx.Float32, Dims: []int64{2}, Data: onnx.Bytes([]byte{1})}), "wants 8 bytes, got 1"},
		{"negative", model(onnx.Tensor{Name: "n", Type: onnx.Float32, Dims: []int64{-2}, Data: onnx.Bytes(nil)}), "negative"},
		{"overflow", model(onnx.Tensor{Name: "n", Type: onnx.Float32, Dims: []int64{1 << 40, 1 << 40}, Data: onnx.Bytes(nil)}), "too many elements"},
		{"a liar", model(onnx.Tensor{Name: "liar", Type: onnx.Uint8, Dims: []int64{3}, Data: fakeRaw{size: 3, writes: 2}}), "announced 3 bytes and wrote 2"},
		{"attribute", with(func(m *onnx.Model) { m.Nodes[0].Attrs[0].Value = 1.5 }), `node 0 "y" (Everything): attribute "int"`},
		{"operator set", with(func(m *onnx.Model) { m.Nodes[1].Op, m.Opset = "Gelu", 18 }), `node 1 "out" (Gelu): the operator came with operator set 20`},
		{"not a number", model(floats("w32", 1, float32(math.NaN()))), `tensor "w32": element 1 is NaN`},
		{"infinite", model(floats("w32", 1, float32(math.Inf(-1)), float32(math.Inf(1)))), `tensor "w32": 2 of 3 elements are infinite`},
		{"infinite among zeros", model(floats("bias", 0, float32(math.Inf(1)), 0)), `tensor "bias": 1 of 3`},
		{"infinite half", model(onnx.Tensor{Name: "w16", Type: onnx.Float16, Dims: []int64{2}, Data: onnx.Float16s([]float32{1, 1e6})}), `tensor "w16": 1 of 2`},
		{"not a number, brain float", model(onnx.Tensor{Name: "b16", Type: onnx.BFloat16, Dims: []int64{1}, Data: onnx.Bytes([]byte{0xc0, 0x7f})}), `tensor "b16": element 0`},
		{"not a number, double", model(onnx.Tensor{Name: "w64", Type: onnx.Float64, Dims: []int64{1}, Data: onnx.Bytes([]byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f})}), `tensor "w64": element 0`},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		path := filepath.Join(dir, "m.onnx")
		err := tt.m.WriteFile(path)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v behind", tt.name, left)
		}
	}
}

// A head is joined onto a backbone that is read from the file being replaced.
func TestRewriteInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := rich().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b := onnx.NewBuilder(m)
	m.Outputs = nil
	b.Output("twice", b.Op("Mul", "m", []string{"y", b.Float32s("w", []float32{2})}), onnx.Float32)
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := m.Initializers[0].Float32s(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("weights after Close: %v", err)
	}
	back, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
	if got, err := back.Initializers[0].Float32s(); err != nil || got[0] != 1.5 {
		t.Errorf("old weights: %v, %v", got, err)
	}
	if got := back.Initializers[len(back.Initializers)-1].Name; got != "w_1" {
		t.Errorf("the new weight is called %q, want w_1, since w is taken", got)
	}
}
