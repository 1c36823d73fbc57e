package vit

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
)

// TestPrecisions: every family, in int8 and float16, gives the features of its
// float32 file within a relative error. The networks are tiny and random, which
// is harder on int8 than the real ones: noise averages out over 16 channels only.
func TestPrecisions(t *testing.T) {
	orttest.Require(t)
	limits := map[precision.Kind]float64{precision.Int8: 0.05, precision.Float16: 0.01}
	if precision.Saturates() {
		limits[precision.Int8] = 0.9
	}
	rng := rand.New(rand.NewPCG(11, 12))
	pixels := make([]uint8, 3*3*24*24)
	for i := range pixels {
		pixels[i] = uint8(rng.Uint32())
	}
	for _, name := range []string{
		"torchvision.pth", "timm.safetensors", "huggingface.safetensors", "clip_openai.pt", "deit.safetensors", "dinov2.pth",
		"dinov2_swiglu.pth", "dinov2_reg.pth", "siglip_timm.safetensors",
	} {
		m := loadFixture(t, name)
		shape := []int64{3, 3, 24, 24}
		want := runSession(t, openExport(t, m), pixels, shape)
		for kind, limit := range limits {
			path := filepath.Join(t.TempDir(), "vit.onnx")
			if err := m.Export(context.Background(), path, ExportOptions{Precision: kind}); err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			header, err := onnx.OpenHeader(path)
			if err != nil || header.Metadata["graft.precision"] != string(kind) {
				t.Errorf("%s: metadata of %+v, %v", name, header, err)
			}
			for tap, x := range runSession(t, openSession(t, path), pixels, shape) {
				if got := relativeError(x, want[tap]); !(got <= limit) {
					t.Errorf("%s, %s, %s: relative error %.2g, want at most %g", name, kind, tap, got, limit)
				}
			}
		}
	}
}

// TestConvertPrecision: the file shrinks to a little over a quarter and a half.
func TestConvertPrecision(t *testing.T) {
	dir := t.TempDir()
	sizes := map[precision.Kind]int64{}
	for _, kind := range []precision.Kind{"", precision.Int8, precision.Float16} {
		path := filepath.Join(dir, "vit.onnx")
		s, err := Convert(t.Context(), ConvertOptions{Random: true, Seed: 1, Arch: "vit_ti_16", Out: path, Precision: kind}, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes[s.Precision] = info.Size()
	}
	whole := float64(sizes[precision.Float32])
	if small := float64(sizes[precision.Int8]) / whole; !(small < 0.32) {
		t.Errorf("int8 has %.2f of float32's size", small)
	}
	if half := float64(sizes[precision.Float16]) / whole; !(half < 0.52) {
		t.Errorf("float16 has %.2f of float32's size", half)
	}
	_, err := Convert(t.Context(), ConvertOptions{Random: true, Arch: "vit_ti_16", Out: filepath.Join(dir, "x.onnx"), Precision: "int4"}, nil)
	if err == nil || !strings.Contains(err.Error(), "int4") {
		t.Errorf("int4: %v", err)
	}
}
