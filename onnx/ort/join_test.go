package ort_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
)

// A head is joined onto a backbone read from a file; what it does not need is
// dropped, and the runtime runs the result.
func TestJoinedModelRuns(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	backbone := filepath.Join(dir, "backbone.onnx")
	if err := os.WriteFile(backbone, twoOutputs(t), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(backbone)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Outputs = nil
	b := onnx.NewBuilder(m)
	logits := b.Op("Gemm", "logits", []string{"d", b.Float32s("w", []float32{1, 0, 0, 0, 1, 1}, 2, 3), b.Float32s("b", []float32{0, 2})},
		onnx.Attr{Name: "transB", Value: 1})
	b.Output("probabilities", b.Op("Softmax", "p", []string{logits}, onnx.Attr{Name: "axis", Value: -1}), onnx.Float32, dim("N"), size(2))
	m.Prune()
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(m.Nodes) != 5 { // the cast to float16 and its output are gone
		t.Errorf("%d nodes left, want 5", len(m.Nodes))
	}
	joined := filepath.Join(dir, "joined.onnx")
	if err := m.WriteFile(joined); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(joined, session.Options{Provider: session.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := make([]float32, 2)
	err = s.Run(context.Background(), []session.Tensor{{Name: "pixels", Shape: []int64{1, 3}, Data: []uint8{6, 2, 3}}}, []session.Tensor{{Name: "probabilities", Shape: []int64{1, 2}, Data: p}})
	if err != nil || p[0] != 0.5 || p[1] != 0.5 { // both logits are 12
		t.Errorf("got %v, %v; want two halves", p, err)
	}
}
