package vit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

// The files that libraries put beside weights tell what tensors do not.
func TestFilesBeside(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    map[string]string
		options  loadOptions
		heads    int
		eps      float32
		act      Activation
		norm     preprocess.Normalization
		crop     float64
		note     string
		mistaken string
	}{
		{"Hugging Face", map[string]string{
			"config.json":              `{"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 8, "layer_norm_eps": 1e-5, "hidden_act": "gelu_new", "image_size": 32}`,
			"preprocessor_config.json": `{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": true, "resample": 3}`,
		}, loadOptions{}, 8, 1e-5, TanhGELU, preprocess.Normalization{Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{0.4, 0.5, 0.6}}, 0.8, "as the files beside the weights state", ""},
		{"flags before files", map[string]string{"config.json": `{"num_attention_heads": 8, "hidden_act": "quick_gelu"}`}, loadOptions{Heads: 4, Activation: GELU}, 4, 1e-6, GELU, preprocess.Half, 0.9, "", ""},
		{"another network's", map[string]string{"config.json": `{"hidden_size": 768, "num_attention_heads": 8, "layer_norm_eps": 0.1}`}, loadOptions{Heads: 4}, 4, 1e-6, GELU, preprocess.Half, 0.9, "config.json beside the weights is of another network", ""},
		{"timm", map[string]string{"config.json": `{"architecture": "vit_x", "pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "crop_pct": 0.95, "interpolation": "bicubic"}}`}, loadOptions{Heads: 4}, 4, 1e-6, GELU, preprocess.ImageNet, 0.95, "", ""},
		{"open_clip", map[string]string{"open_clip_config.json": `{"model_cfg": {"quick_gelu": true, "vision_cfg": {"image_size": 32, "layers": 3, "width": 32, "head_width": 4, "patch_size": 8}}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}`}, loadOptions{}, 8, 1e-6, QuickGELU, preprocess.Normalization{Mean: preprocess.Half.Mean, Std: [3]float32{0.25, 0.25, 0.25}}, 1, "", ""},
		{"one channel's mean, bytes", map[string]string{"preprocessor_config.json": `{"image_mean": [123.675, 116.28, 103.53], "image_std": [58.4, 57.1, 57.4]}`}, loadOptions{Heads: 4}, 0, 0, "", preprocess.Normalization{}, 0, "", "preprocessor_config.json: mean 123.675,116.28,103.53"},
		{"unknown activation", map[string]string{"config.json": `{"hidden_act": "relu"}`}, loadOptions{Heads: 4}, 0, 0, "", preprocess.Normalization{}, 0, "", `the activation "relu" (hidden_act)`},
		{"flag before an unknown activation", map[string]string{"config.json": `{"hidden_act": "relu"}`}, loadOptions{Heads: 4, Activation: QuickGELU}, 4, 1e-6, QuickGELU, preprocess.Half, 0.9, "", ""},
		{"another network's unknown activation and heads", map[string]string{"config.json": `{"hidden_size": 768, "hidden_act": "relu", "num_attention_heads": -1}`}, loadOptions{Heads: 4}, 4, 1e-6, GELU, preprocess.Half, 0.9, "config.json beside the weights is of another network", ""},
		{"one channel's mean, bytes, and another stated", map[string]string{"preprocessor_config.json": `{"image_mean": [123.675, 116.28, 103.53], "image_std": [58.4, 57.1, 57.4]}`}, loadOptions{Heads: 4, Normalized: true}, 4, 1e-6, GELU, preprocess.Half, 0.9, "", ""},
		{"no normalisation", map[string]string{"preprocessor_config.json": `{"image_mean": [0.5], "image_std": [0.5], "do_normalize": false}`}, loadOptions{Heads: 4}, 4, 1e-6, GELU, preprocess.Normalization{Std: [3]float32{1, 1, 1}}, 1, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := besides(t, "")
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m, err := loadModel(t.Context(), openFile(t, path), c.options)
			if c.mistaken != "" {
				if err == nil || !strings.Contains(err.Error(), c.mistaken) {
					t.Errorf("error %v, want one with %s", err, c.mistaken)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if g := m.Config; g.Heads != c.heads || g.Eps != c.eps || g.act() != c.act || m.Preprocess.Normalization != c.norm || m.Preprocess.CropPct != c.crop {
				t.Errorf("%+v, %+v", g, m.Preprocess)
			}
			if !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, c.note) }) {
				t.Errorf("notes %q", m.Notes)
			}
		})
	}
}

// A classifier on the mean of all patches, beside a class token, is told by timm's config.json alone.
func TestGlobalPool(t *testing.T) {
	m, err := loadModel(t.Context(), openFile(t, besides(t, `{"global_pool": "avg"}`)), loadOptions{Heads: 4})
	if err != nil || !m.Config.HeadOnMean {
		t.Errorf("%+v, %v", m.Config, err)
	}
}

// DINOv2 is run at the size of its preprocessor, by whose way of interpolating is told by the names or by hand.
func TestPositionsBy(t *testing.T) {
	var list []checkpoint.Tensor
	for _, x := range tensorsOf(t, "dinov2_huggingface.safetensors") {
		list = append(list, x)
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := checkpoint.WriteSafetensors(path, list, nil); err != nil {
		t.Fatal(err)
	}
	config := `{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "crop_size": {"height": 42, "width": 42}}`
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "preprocessor_config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Convert(t.Context(), ConvertOptions{Weights: path, Heads: 4, Out: filepath.Join(t.TempDir(), "x.onnx")}, nil)
	if err != nil || s.Image != 42 {
		t.Errorf("%d pixels (%v), want the preprocessor's 42", s.Image, err)
	}
	for by, want := range map[string]resampling{"": huggingFace.resample, "dino": dinoResample, "timm": timm.resample} {
		m, err := loadModel(t.Context(), openFile(t, path), loadOptions{Heads: 4, Positions: by})
		if err != nil || m.resample != want {
			t.Errorf("positions by %q: %+v (%v), want %+v", by, m.resample, err, want)
		}
	}
	if err := (ConvertOptions{Weights: path, Out: "x.onnx", Positions: "meta"}).Validate(); err == nil || !strings.Contains(err.Error(), "dino, huggingface, timm, torchvision") {
		t.Errorf("got %v", err)
	}
}

// Without a class token and with positions of patches alone a network's feature is their mean, which is told.
func TestNoClassIsTold(t *testing.T) {
	tensors := tensorsOf(t, "timm.safetensors")
	pos := tensors["pos_embed"]
	var list []checkpoint.Tensor
	for name, x := range tensors {
		switch {
		case name == "cls_token":
			continue
		case name == "pos_embed":
			x.Shape, x.Data = []int{1, pos.Shape[1] - 1, pos.Shape[2]}, pos.Data[pos.Shape[2]:]
		}
		list = append(list, x)
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := checkpoint.WriteSafetensors(path, list, nil); err != nil {
		t.Fatal(err)
	}
	m, err := loadModel(t.Context(), openFile(t, path), loadOptions{Heads: 4})
	if err != nil || !m.Config.NoClass || !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, `there is no "cls_token": taken as a network without`) }) {
		t.Errorf("%+v, %v", m, err)
	}
}
