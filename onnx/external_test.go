package onnx_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
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
	if _, _, err := m.Link(); err == nil {
		t.Error("a model that was not read from a file was linked")
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
