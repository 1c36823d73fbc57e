package vit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/models"
	"graft/onnx"
	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

func TestConvertOptions(t *testing.T) {
	for want, o := range map[string]ConvertOptions{
		"--out":              {Weights: "w"},
		"--weights":          {Out: "o"},
		"leave --weights":    {Out: "o", Random: true, Weights: "w"},
		"(--arch)":           {Out: "o", Random: true},
		"--arch and":         {Out: "o", Weights: "w", Arch: "vit_b_16"},
		"cannot be negative": {Out: "o", Weights: "w", Heads: -1},
		"crop is 2":          {Out: "o", Weights: "w", CropPct: 2},
		"normalisation":      {Out: "o", Weights: "w", Normalize: "imagent"},
		"no model \"vit_c\"": {Out: "o", Weights: "w", Name: "vit_c"},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", o, err, want)
		}
	}
}

func TestConvert(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.onnx")
	s, err := Convert(context.Background(), ConvertOptions{
		Weights: filepath.Join("testdata", "timm.safetensors"), Heads: 4, Out: out, ImageSize: 64,
		Normalize: "imagenet", CropPct: 0.875, Version: "v1",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Image != 64 || s.CropPct != 0.875 || s.Mean != preprocess.ImageNet.Mean || s.Classes != 5 || len(s.Taps) != 8 || s.Bytes < 100000 {
		t.Errorf("summary %+v", s)
	}
	if notes := fmt.Sprint(s.Notes); strings.Contains(notes, "assumed") || !strings.Contains(notes, "from 32 to 64 pixels") {
		t.Errorf("notes %s", notes)
	}
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Metadata["graft.image_size"] != "64" || m.Metadata["graft.mean"] != "0.485,0.456,0.406" || m.ProducerVersion != "v1" {
		t.Errorf("metadata %v", m.Metadata)
	}
	if _, err := Convert(context.Background(), ConvertOptions{Weights: "absent.pth", Out: out}, nil); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestConvertKeepsTheCheckpoint(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "timm.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "timm.safetensors")
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Convert(context.Background(), ConvertOptions{Weights: path, Heads: 4, Out: path}, nil)
	if err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("got %v, want an error with --out", err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, want) {
		t.Error("the checkpoint was written over")
	}
}

func TestConvertRandom(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.onnx")
	s, err := Convert(context.Background(), ConvertOptions{Random: true, Seed: 9, Arch: "vit_ti_16", Out: out, ImageSize: 96}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Source != "random:9" || s.SHA256 != "" || s.Classes != 0 || s.Image != 96 || !strings.Contains(fmt.Sprint(s.Notes), "learned nothing") {
		t.Errorf("summary %+v", s)
	}
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(s); err != nil || !strings.Contains(buf.String(), `"image_size":96`) {
		t.Errorf("%s, %v", &buf, err)
	}
}

// TestZooDecidesPreprocessing: by name, checked against the tensors, and by
// hash.
func TestZooDecidesPreprocessing(t *testing.T) {
	f := openFile(t, filepath.Join("testdata", "timm.safetensors"))
	if _, err := loadModel(t.Context(), f, loadOptions{Heads: 4, Name: "deit_tiny_patch16"}); err == nil || !strings.Contains(err.Error(), "vit_ti_16") {
		t.Errorf("a tiny network passed as deit_tiny_patch16: %v", err)
	}
	if _, err := loadModel(t.Context(), f, loadOptions{Heads: 4, Name: "nobody"}); err == nil {
		t.Error("an unknown name was accepted")
	}
	e, err := models.Get("deit_tiny_patch16")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Image: 224, Patch: 16, Width: 192, Depth: 12, Heads: 3, MLP: 768}
	for _, o := range []loadOptions{{Name: e.Name}, {}} {
		m := &Model{Config: c, Family: "timm", SHA256: e.SHA256 + strings.Repeat("0", 64-len(e.SHA256))}
		if err := m.describe(&timm, beside{}, o); err != nil {
			t.Fatal(err)
		}
		if m.Preprocess.Mean != e.Mean || m.Preprocess.CropPct != e.CropPct {
			t.Errorf("%+v: preprocessing %v, want the zoo's", o, m.Preprocess)
		}
	}
}

// TestRealViTTiny exports real weights; it needs GRAFT_VIT_TINY, timm's
// vit_tiny_patch16_224 as safetensors.
func TestRealViTTiny(t *testing.T) {
	weights := os.Getenv("GRAFT_VIT_TINY")
	if weights == "" {
		t.Skip("SKIPPED: set GRAFT_VIT_TINY to timm's vit_tiny_patch16_224 as safetensors")
	}
	s, err := Convert(context.Background(), ConvertOptions{Weights: weights, Out: filepath.Join(t.TempDir(), "x.onnx")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Arch != "vit_ti_16" || s.Heads != 3 || s.Parameters != 5717416 || len(s.Taps) != 26 || s.Mean != preprocess.Half.Mean {
		t.Errorf("summary %+v", s)
	}
}

// Of a network and its average the average is exported, and both are named; --key exports the other.
func TestConvertKey(t *testing.T) {
	tensors := map[string]checkpoint.Tensor{}
	for name, x := range tensorsOf(t, "timm.safetensors") {
		raw, mean := x, x
		raw.Name, mean.Name, mean.Data = "model."+name, "model_ema.module."+name, make([]float32, len(x.Data))
		tensors[raw.Name], tensors[mean.Name] = raw, mean
	}
	weights := writeTensors(t, tensors).Path()
	for _, c := range []struct {
		key, took, other string
		zero             bool
	}{
		{"", "model_ema.module", "model", true}, {"model_ema", "model_ema.module", "model", true}, {"model", "model", "model_ema", false},
	} {
		out := filepath.Join(t.TempDir(), "x.onnx")
		s, err := Convert(t.Context(), ConvertOptions{Weights: weights, Key: c.key, Heads: 4, Out: out}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Key != c.took || !slices.Equal(s.OtherKeys, []string{c.other}) || !strings.Contains(s.Notes[0], fmt.Sprintf("%q, not from \"%s\"; --key", c.took, c.other)) {
			t.Errorf("key %q: took %q, not %q: %q", c.key, s.Key, s.OtherKeys, s.Notes)
		}
		m, err := onnx.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var b bytes.Buffer
		at := slices.IndexFunc(m.Initializers, func(x onnx.Tensor) bool { return x.Name == "norm.weight" })
		if _, err := m.Initializers[at].Data.WriteTo(&b); err != nil || bytes.Equal(b.Bytes(), make([]byte, b.Len())) != c.zero {
			t.Errorf("key %q: the norm's weights are % x, %v", c.key, b.Bytes(), err)
		}
	}
}
