package ship

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

// asBefore writes a backbone's file as graft wrote it once: bytes are cast, and a product with three numbers repeats a
// single channel.
func asBefore(t *testing.T, path string) string {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i, n := range m.Nodes {
		switch n.Name {
		case "pixels_float":
			m.Nodes[i].Op, m.Nodes[i].Inputs, m.Nodes[i].Attrs = "Cast", n.Inputs[:1], []onnx.Attr{{Name: "to", Value: int64(onnx.Float32)}}
		case "scaled":
			m.Nodes[i].Inputs = []string{"resized", n.Inputs[1]}
		}
	}
	m.Prune()
	path = filepath.Join(t.TempDir(), "before.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPixelsRunElsewhere: whatever is exported has no node that reads bytes but the one that makes them float32, and none
// that repeats channels by broadcasting; of a backbone as graft wrote it once, too, whose numbers stay to the bit.
func TestPixelsRunElsewhere(t *testing.T) {
	orttest.Require(t)
	backbone := vittest.WriteTiny(t, t.TempDir())
	before := asBefore(t, backbone)
	for _, flip := range []bool{false, true} {
		out := filepath.Join(t.TempDir(), "out.onnx")
		var answers [][][]float32
		for _, path := range []string{before, backbone} {
			r := makeRun(t, path, nil, []string{"cls"}, flip)
			if _, err := Export(t.Context(), Config{Run: r, Out: out}); err != nil {
				t.Fatal(err)
			}
			checkPixels(t, out)
			answers = append(answers, answersOf(t, r), answersOf(t, out))
		}
		for i := range 2 {
			if !reflect.DeepEqual(answers[i], answers[i+2]) {
				t.Errorf("flip %v: of the backbone as once %v, as now %v", flip, answers[i], answers[i+2])
			}
		}
	}
}

// answersOf are a run's or file's probabilities of the test's images.
func answersOf(t *testing.T, path string) (out [][]float32) {
	t.Helper()
	p := openTest(t, path)
	for _, im := range runtest.Images() {
		scores, err := p.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, scores)
	}
	return out
}

func checkPixels(t *testing.T, path string) {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	index := onnx.NewIndex(m)
	for _, n := range index.Readers["pixels"] {
		if n.Op != "DequantizeLinear" {
			t.Errorf("%s: a %s reads bytes", path, n.Op)
		}
	}
	for _, n := range m.Nodes {
		if made := index.Producers[n.Inputs[0]]; n.Op == "Slice" && made != nil && made.Op == "DequantizeLinear" {
			t.Errorf("%s: %s cuts what was bytes a step before", path, n.Name)
		}
		if n.Op == "Mul" && len(n.Inputs) == 2 && slices.Equal(index.Weights[n.Inputs[1]].Dims, []int64{1, 3, 1, 1}) && index.Producers[n.Inputs[0]].Op != "Slice" {
			t.Errorf("%s: %s repeats channels by broadcasting", path, n.Name)
		}
	}
}

// TestChannelsOfConvolutions: the study's CNN, whose second convolution reads six channels, is written with eight.
func TestChannelsOfConvolutions(t *testing.T) {
	net := nets.StudyCNN(3)
	m, err := classifier(net, nets.Init(net, 1), run.PixelsRecord{Side: 48, Fit: run.FitResize}, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	index, seen := onnx.NewIndex(m), 0
	for _, n := range m.Nodes {
		if n.Op == "Conv" {
			channels := index.Weights[n.Inputs[1]].Dims[1]
			if seen++; channels > 4 && channels%4 != 0 {
				t.Errorf("%s reads %d channels", n.Name, channels)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d convolutions, want 2", seen)
	}
}
