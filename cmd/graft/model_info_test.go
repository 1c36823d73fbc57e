package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"graft/onnx"
)

// runModelInfo runs the command alone and returns what it prints.
func runModelInfo(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &out
	err := app.RunContext(context.Background(), append([]string{"graft", "model", "info"}, args...))
	return out.String(), err
}

func infoModel(t *testing.T) string {
	t.Helper()
	m := &onnx.Model{Opset: 17, Metadata: map[string]string{"graft.arch": "vit_b_16"}}
	b := onnx.NewBuilder(m)
	x := b.Input("pixels", onnx.Uint8, onnx.Dim{Name: "N"}, onnx.Dim{Value: 3}, onnx.Dim{})
	y := b.Op("Mul", "cls", []string{b.Op("Cast", "f", []string{x}, onnx.Attr{Name: "to", Value: 1}), b.Float32s("w", []float32{1, 2, 3, 4}, 4)})
	b.Output("cls", y, onnx.Float32)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModelInfoJSON(t *testing.T) {
	out, err := runModelInfo(t, "--json", "-", infoModel(t))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	want := map[string]any{
		"schema":     "graft-model-1",
		"parameters": 0.0, // the factor of the pixels is none
		"inputs":     []any{map[string]any{"name": "pixels", "type": "uint8", "shape": []any{"N", 3.0, nil}}},
		"outputs":    []any{map[string]any{"name": "cls", "type": "float32", "shape": nil}},
		"metadata":   map[string]any{"graft.arch": "vit_b_16"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestModelInfoText(t *testing.T) {
	out, err := runModelInfo(t, infoModel(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pixels uint8 [N,3,?]", "graft.arch = vit_b_16", "opset 17", "1 tensor, 16 bytes"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestModelInfoRefuses(t *testing.T) {
	if _, err := runModelInfo(t); err == nil || !strings.Contains(err.Error(), "FILE.onnx") {
		t.Errorf("without a file: %v", err)
	}
	if _, err := runModelInfo(t, "missing.onnx"); err == nil || !strings.Contains(err.Error(), "missing.onnx") {
		t.Errorf("missing file: %v", err)
	}
}
