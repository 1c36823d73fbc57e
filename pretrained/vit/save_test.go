package vit_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/precision"
	"graft/pretrained/checkpoint"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// A checkpoint that was written of an ONNX file gives that file's weights again, to the bit in float32 and to float16's
// eleven bits in float16; timm's names and shapes are PyTorch's.
func TestSave(t *testing.T) {
	plain := vittest.Config
	plain.Classes = 0
	dir := t.TempDir()
	path := vittest.Write(t, dir, plain, 3)
	for name, half := range map[string]bool{"full": false, "half": true} {
		saved, again := filepath.Join(dir, name+".safetensors"), filepath.Join(dir, name+".onnx")
		if err := vit.Save(path, saved, half); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(saved, "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if info, ok := f.Info("blocks.1.mlp.fc1.weight"); !ok || !slices.Equal(info.Shape, []int{64, 32}) || (info.DType == "F16") != half {
			t.Errorf("%s: fc1 is %+v", name, info)
		}
		if _, err := vit.Convert(t.Context(), vit.ConvertOptions{Weights: saved, Heads: 4, Normalize: "imagenet", Out: again}, nil); err != nil {
			t.Fatal(err)
		}
		tolerance := 0.0
		if half {
			tolerance = 1.0 / (1 << 11)
		}
		sameWeights(t, path, again, tolerance)
	}
}

// sameWeights compares the weights of two ONNX files, the difference relative to the number.
func sameWeights(t *testing.T, a, b string, tolerance float64) {
	t.Helper()
	x, y := weightsOf(t, a), weightsOf(t, b)
	for name, want := range x {
		got := y[name]
		if len(got) != len(want) {
			t.Errorf("%s: %d numbers, want %d", name, len(got), len(want))
			continue
		}
		for i := range want {
			// 2⁻²⁵ is half of float16's smallest number.
			if d := float64(got[i]) - float64(want[i]); !(max(d, -d) <= tolerance*max(float64(want[i]), -float64(want[i]))+tolerance/(1<<14)) {
				t.Errorf("%s: element %d is %g, want %g", name, i, got[i], want[i])
				break
			}
		}
	}
}

func weightsOf(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out := map[string][]float32{}
	for _, w := range m.Initializers {
		if w.Type != onnx.Float32 {
			continue
		}
		v, err := w.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		out[w.Name] = v
	}
	if len(out) < 20 {
		t.Fatalf("%s has %d weights", path, len(out))
	}
	return out
}

func TestSaveRefuses(t *testing.T) {
	dir := t.TempDir()
	classifier := vittest.WriteTiny(t, dir)
	eight := filepath.Join(dir, "eight.onnx")
	if _, err := precision.ConvertFile(classifier, eight, precision.Int8, nil); err != nil {
		t.Fatal(err)
	}
	distilled := vittest.Config
	distilled.Classes, distilled.Distilled = 0, true
	for path, want := range map[string]string{
		classifier: "without a classifier", eight: "without a classifier", vittest.Write(t, t.TempDir(), distilled, 1): "only a plain",
	} {
		if err := vit.Save(path, filepath.Join(dir, "x.safetensors"), false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with %q and the file", err, want)
		}
	}
	if err := vit.Save(classifier, classifier, false); err == nil || !strings.Contains(err.Error(), "own file") {
		t.Errorf("the file itself: %v", err)
	}
}
