package onnx_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx"
	"graft/onnx/onnxpb"
)

// TestLink: large weights stay in the file, at the places that the bytes name.
func TestLink(t *testing.T) {
	large := make([]float32, 20_000)
	for i := range large {
		large[i] = float32(rand.NormFloat64())
	}
	m := &onnx.Model{Name: "link", Opset: 18}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 20_000})
	y := b.Op("Add", "y", []string{b.Op("Mul", "scaled", []string{x, b.Float32s("large", large)}), b.Float32s("small", []float32{3})})
	b.Output(y, y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 20_000})
	if whole, folder, err := m.Link(); err != nil || folder != "" || len(whole) < 80_000 {
		t.Errorf("a model that was not read from a file: %d bytes, folder %q, %v; want all of it", len(whole), folder, err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "m.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	shortcut := filepath.Join(t.TempDir(), "shortcut.onnx")
	if err := os.Symlink(path, shortcut); err != nil {
		t.Skipf("SKIPPED, no symbolic links here: %v", err)
	}
	read, err := onnx.Open(shortcut)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	linked, folder, err := read.Link()
	if err != nil {
		t.Fatal(err)
	}
	if real, _ := filepath.EvalSymlinks(dir); folder != real || len(linked) > 2000 {
		t.Errorf("%d bytes with weights in %s, want few, and weights in %s", len(linked), folder, real)
	}
	var p onnxpb.ModelProto
	if err := proto.Unmarshal(linked, &p); err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, w := range p.Graph.Initializer {
		if w.GetName() == "small" && len(w.RawData) != 4 {
			t.Errorf("small has %d bytes, want 4", len(w.RawData))
		}
		for _, e := range w.ExternalData {
			at[e.GetKey()] = e.GetValue()
		}
	}
	file, err := os.ReadFile(filepath.Join(folder, at["location"]))
	if err != nil {
		t.Fatal(err)
	}
	offset, _ := strconv.Atoi(at["offset"])
	length, _ := strconv.Atoi(at["length"])
	var want bytes.Buffer
	if _, err := onnx.Float32s(large).WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	if offset == 0 || offset+length > len(file) || !bytes.Equal(file[offset:offset+length], want.Bytes()) {
		t.Errorf("bytes %d to %d of %d are not the weights", offset, offset+length, len(file))
	}
}

// outside makes p keep its data in a file.
func outside(p *onnxpb.TensorProto, entries ...string) *onnxpb.TensorProto {
	p.RawData, p.FloatData, p.DataLocation = nil, nil, onnxpb.TensorProto_EXTERNAL.Enum()
	for i := 0; i < len(entries); i += 2 {
		p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(entries[i]), Value: proto.String(entries[i+1])})
	}
	return p
}

// withExternalData writes m.onnx with a weight in weights/w.bin from byte 4 on and a Constant, within the branches of
// an If, in c.bin, and returns its folder. change may change the weight.
func withExternalData(t *testing.T, change func(w *onnxpb.TensorProto)) string {
	t.Helper()
	dir := t.TempDir()
	vector := func(name string, n int64) *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(1), Dims: []int64{n}}
	}
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	x, cond := b.Input("x", onnx.Float32), b.Input("cond", onnx.Bool)
	y := b.Op("Add", "y", []string{x, "w"})
	branch := &onnxpb.GraphProto{Name: proto.String("branch"), Output: []*onnxpb.ValueInfoProto{{Name: proto.String("c")}}}
	branch.Node = []*onnxpb.NodeProto{{OpType: proto.String("Constant"), Output: []string{"c"}, Attribute: []*onnxpb.AttributeProto{
		{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: outside(vector("c", 1), "location", "c.bin")}}}}
	z := b.Op("If", "z", []string{cond}, onnx.Attr{Name: "then_branch", Value: &onnxpb.AttributeProto{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: branch}},
		onnx.Attr{Name: "else_branch", Value: &onnxpb.AttributeProto{Name: proto.String("else_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: branch}})
	b.Output(y, y, onnx.Float32)
	b.Output(z, z, onnx.Float32)
	var p onnxpb.ModelProto
	if err := proto.Unmarshal(encode(t, m), &p); err != nil {
		t.Fatal(err)
	}
	w := outside(vector("w", 2), "location", "weights/w.bin", "offset", "4", "length", "8")
	if change != nil {
		change(w)
	}
	p.Graph.Initializer = append(p.Graph.Initializer, w)
	write := func(name string, v ...float32) {
		var buf bytes.Buffer
		if _, err := onnx.Float32s(v).WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "weights"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("weights/w.bin", 1, 2, 3, 4)
	write("c.bin", 5)
	if err := os.WriteFile(filepath.Join(dir, "m.onnx"), marshal(t, &p), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Data in other files is read like that in the model's own, and written into one file.
func TestExternalData(t *testing.T) {
	dir := withExternalData(t, nil)
	m, err := onnx.Open(filepath.Join(dir, "m.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	whole := filepath.Join(t.TempDir(), "whole.onnx")
	if err := m.WriteFile(whole); err != nil {
		t.Fatal(err)
	}
	back, err := onnx.Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	for _, m := range []*onnx.Model{m, back} {
		if got, err := m.Initializers[0].Float32s(); err != nil || fmt.Sprint(got) != "[2 3]" {
			t.Errorf("weight %v, %v; want 2 and 3", got, err)
		}
		branch := m.Nodes[1].Attrs[0].Value.(*onnxpb.AttributeProto).G
		if c := branch.Node[0].Attribute[0].T; len(c.RawData) != 4 || c.DataLocation != nil {
			t.Errorf("constant within a node: %v", c)
		}
	}
}

func TestExternalDataRefused(t *testing.T) {
	at := func(entries ...string) func(w *onnxpb.TensorProto) {
		return func(w *onnxpb.TensorProto) { w.ExternalData = nil; outside(w, entries...) }
	}
	secret := filepath.Join(t.TempDir(), "secret.bin")
	if err := os.WriteFile(secret, make([]byte, 8), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(w *onnxpb.TensorProto){
		`"../w.bin" lies outside the model's folder`:                    at("location", "../w.bin"),
		fmt.Sprintf("%q lies outside", secret):                          at("location", secret),
		`"link.bin" lies outside the model's folder`:                    at("location", "link.bin"),
		`"missing.bin" belongs beside the model`:                        at("location", "missing.bin"),
		`"" lies outside`:                                               at(),
		"want a regular file":                                           at("location", "weights"),
		"map[location:weights/w.bin offset:12]: not a part of the file": at("location", "weights/w.bin", "offset", "12"),
		"map[location:weights/w.bin offset:-4]: not a part of the file": at("location", "weights/w.bin", "offset", "-4"),
		"map[length:x location:weights/w.bin]: not a part of the file":  at("location", "weights/w.bin", "length", "x"),
		"wants 8 bytes, got 12":                                         at("location", "weights/w.bin", "length", "12"),
	} {
		dir := withExternalData(t, change)
		if err := os.Symlink(secret, filepath.Join(dir, "link.bin")); err != nil {
			t.Skipf("SKIPPED, no symbolic links here: %v", err)
		}
		if _, err := onnx.Open(filepath.Join(dir, "m.onnx")); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"w"`) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// Caches keep files under their hashes, and links to them under their names.
func TestExternalDataBehindLinks(t *testing.T) {
	dir := withExternalData(t, nil)
	cache := t.TempDir()
	for link, to := range map[string]string{"m.onnx": "m.onnx", "weights/w.bin": "weights/w.bin", "c.bin": "c.bin"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(cache, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(dir, to), filepath.Join(cache, link)); err != nil {
			t.Skipf("SKIPPED, no symbolic links here: %v", err)
		}
	}
	m, err := onnx.Open(filepath.Join(cache, "m.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	behind, err := onnx.Hash(t.Context(), filepath.Join(cache, "m.onnx"))
	if want, e := onnx.Hash(t.Context(), filepath.Join(dir, "m.onnx")); err != nil || e != nil || behind != want {
		t.Errorf("hash %s, %v; want %s, %v", behind, err, want, e)
	}
}

func TestHash(t *testing.T) {
	sum := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir := withExternalData(t, nil)
	hash := func(name string) string {
		h, err := onnx.Hash(t.Context(), filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	m, c, w := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "c.bin"), filepath.Join(dir, "weights/w.bin")
	first := hash("m.onnx")
	if want := sum([]byte(sum(read(m)) + "\n" + sum(read(c)) + "\n" + sum(read(w)) + "\n")); first != want {
		t.Errorf("with external data: %s, want %s", first, want)
	}
	for _, path := range []string{c, w} { // the one that a node within a node names, too
		old := read(path)
		if err := os.WriteFile(path, make([]byte, len(old)), 0o644); err != nil {
			t.Fatal(err)
		}
		if hash("m.onnx") == first {
			t.Errorf("other content of %s, and the hash stays", path)
		}
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := rich().WriteFile(filepath.Join(dir, "one.onnx")); err != nil {
		t.Fatal(err)
	}
	if got, want := hash("one.onnx"), sum(read(filepath.Join(dir, "one.onnx"))); got != want {
		t.Errorf("without external data: %s, want the file's %s", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if h, err := onnx.Hash(ended, m); !errors.Is(err, context.Canceled) || h != "" {
		t.Errorf("after Ctrl-C: %q, %v", h, err)
	}
	if err := os.Remove(c); err != nil {
		t.Fatal(err)
	}
	if h, err := onnx.Hash(t.Context(), m); err == nil || !strings.Contains(err.Error(), `"c.bin" belongs beside the model`) {
		t.Errorf("without c.bin: %s, %v", h, err)
	}
}

// A tensor that has its content keeps no data elsewhere, whatever it says of a place.
func TestStalePlaceOfData(t *testing.T) {
	dir := withExternalData(t, func(w *onnxpb.TensorProto) {
		w.DataLocation, w.FloatData = nil, []float32{8, 9}
		w.ExternalData[0].Value = proto.String("gone.bin")
	})
	path := filepath.Join(dir, "m.onnx")
	if _, err := onnx.Hash(t.Context(), path); err != nil {
		t.Error(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, err := m.Initializers[0].Float32s(); err != nil || fmt.Sprint(got) != "[8 9]" {
		t.Errorf("%v, %v", got, err)
	}
}

// What is no file has no end, or none that comes.
func TestOpenRefusesDevices(t *testing.T) {
	const path = "/dev/zero"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, no devices here: %v", err)
	}
	_, err := onnx.Open(path)
	_, hashing := onnx.Hash(t.Context(), path)
	for _, err := range []error{err, hashing} {
		if err == nil || !strings.Contains(err.Error(), "want a regular file") || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
}
