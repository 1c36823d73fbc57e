//go:build cgo

package ort

import (
	"context"
	"testing"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx/session"
)

// What Run costs beside the binding it calls, on a model of two nodes.
func BenchmarkRun(b *testing.B) {
	if err := Available(); err != nil {
		b.Skipf("SKIPPED, ONNX Runtime is needed: %v", err)
	}
	m := tinyModel()
	data, _, err := m.Link()
	if err != nil {
		b.Fatal(err)
	}
	x, y := []float32{1, 10}, make([]float32, 3)
	b.Run("graft", func(b *testing.B) {
		s, err := OpenModel(m, session.Options{Provider: session.CPU, Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		in, out := []session.Tensor{{Name: "x", Shape: []int64{1, 2}, Data: x}}, []session.Tensor{{Name: "y", Shape: []int64{1, 3}, Data: y}}
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Run(ctx, in, out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) { benchmarkBare(b, data, x, y) })
}

func benchmarkBare(b *testing.B, data []byte, x, y []float32) {
	so, err := native.NewSessionOptions()
	if err != nil {
		b.Fatal(err)
	}
	defer so.Destroy()
	if err := so.SetIntraOpNumThreads(1); err != nil {
		b.Fatal(err)
	}
	s, err := native.NewDynamicAdvancedSessionWithONNXData(data, []string{"x"}, []string{"y"}, so)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Destroy()
	in, err := native.NewTensor(native.NewShape(1, 2), x)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Destroy()
	out, err := native.NewTensor(native.NewShape(1, 3), y)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Destroy()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run([]native.Value{in}, []native.Value{out}); err != nil {
			b.Fatal(err)
		}
	}
}
