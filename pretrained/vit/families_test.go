package vit

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/pretrained/checkpoint"
)

// TestLoadReadsOptions: what each fixture's tensors say of the network.
func TestLoadReadsOptions(t *testing.T) {
	tiny := Config{Image: 32, Patch: 8, Width: 16, Depth: 2, Heads: 4, MLP: 24, Eps: 1e-6, Activation: GELU}
	clip := func(c *Config) {
		c.Eps, c.Activation, c.PreNorm, c.NoPatchBias, c.Projection = 1e-5, QuickGELU, true, true, 12
	}
	dinov2 := func(c *Config) { c.Image, c.Patch, c.MLP, c.LayerScale = 28, 7, 32, true }
	swiglu := func(c *Config) { dinov2(c); c.MLP, c.Gated = 24, true }
	classes := func(c *Config) { c.Classes = 5 }
	classifyMean := func(c *Config) { classes(c); c.ClassifyMean = true }
	registers := func(c *Config) { dinov2(c); c.MLP, c.Registers = 24, 3 }
	siglip := func(c *Config) { c.NoClass, c.AttnPool = true, true }
	for _, tc := range []struct {
		file    string
		changes []func(*Config)
		variant string
	}{
		{"clip_openai.pt", []func(*Config){clip}, "quick_gelu, norm before the blocks, projection to 12"},
		{"clip_huggingface.safetensors", []func(*Config){clip}, "quick_gelu, norm before the blocks, projection to 12"},
		{"clip_timm.safetensors", []func(*Config){clip, classes, func(c *Config) { c.Activation, c.Projection = GELU, 0 }}, "norm before the blocks"},
		{"deit.safetensors", []func(*Config){classes, func(c *Config) { c.Distilled = true }}, "distillation token"},
		{"deit_huggingface.safetensors", []func(*Config){classes, func(c *Config) { c.Distilled, c.Eps = true, 1e-12 }}, "distillation token"},
		{"dinov2.pth", []func(*Config){dinov2}, "layer scale"},
		{"dinov2_huggingface.safetensors", []func(*Config){dinov2, classifyMean}, "layer scale"},
		{"dinov2_swiglu.pth", []func(*Config){swiglu}, "swiglu, layer scale"},
		{"dinov2_swiglu_huggingface.safetensors", []func(*Config){swiglu, classifyMean}, "swiglu, layer scale"},
		{"dinov2_reg_timm.safetensors", []func(*Config){registers, classes, func(c *Config) { c.NoClassPos = true }}, "layer scale, 3 registers"},
		{"dinov2_reg.pth", []func(*Config){registers}, "layer scale, 3 registers"},
		{"dinov2_reg_huggingface.safetensors", []func(*Config){registers}, "layer scale, 3 registers"},
		{"siglip_timm.safetensors", []func(*Config){siglip}, "no class token, attention pooling"},
		{"siglip_huggingface.safetensors", []func(*Config){siglip, func(c *Config) { c.Activation = TanhGELU }}, "gelu_tanh, no class token, attention pooling"},
	} {
		want := tiny
		for _, change := range tc.changes {
			change(&want)
		}
		got := loadFixture(t, tc.file).Config
		if got != want {
			t.Errorf("%s: %+v, want %+v", tc.file, got, want)
		}
		if got.variant() != tc.variant {
			t.Errorf("%s: variant %q, want %q", tc.file, got.variant(), tc.variant)
		}
	}
}

// TestUnusedTensorsAreTold: what a file holds beside the image encoder is left
// out by name, and said.
func TestUnusedTensorsAreTold(t *testing.T) {
	for file, want := range map[string][]string{
		"clip_openai.pt":                 {"the text encoder (tensors: 17)", "the scale of similarities (tensors: 1)", "sizes (tensors: 3)"},
		"clip_huggingface.safetensors":   {"the text encoder (tensors: 21)", "the scale of similarities (tensors: 1)"},
		"siglip_huggingface.safetensors": {"the text encoder (tensors: 1)", "the scale of similarities (tensors: 2)"},
		"dinov2.pth":                     {"the mask token of pretraining (tensors: 1)"},
		"huggingface_bare.safetensors":   {"the pooler (tensors: 2)"},
		"timm.safetensors":               nil,
	} {
		var got []string
		for _, n := range loadFixture(t, file).Notes {
			if what, ok := strings.CutPrefix(n, "not used: "); ok {
				got = append(got, what)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: not used %q, want %q", file, got, want)
		}
	}
}

// TestNormalizationOfFamilies: what the network gives away decides its
// normalisation, and a note says so.
func TestNormalizationOfFamilies(t *testing.T) {
	for _, fx := range fixtures {
		if fx.weights == "dino.pth" {
			continue // nothing tells it from an augreg network
		}
		m := loadFixture(t, fx.weights)
		if m.Preprocess.Normalization != fx.normalization || !slices.Contains(m.Notes, m.assumed) {
			t.Errorf("%s: %+v, want %+v; notes %q", fx.weights, m.Preprocess, fx.normalization, m.Notes)
		}
	}
}

// TestCropOfFamilies: so it does the crop.
func TestCropOfFamilies(t *testing.T) {
	for file, want := range map[string]float64{
		"timm.safetensors": 0.9, "deit.safetensors": 0.9, "dinov2_reg_timm.safetensors": 1, "clip_timm.safetensors": 1,
		"siglip_timm.safetensors": 0.9, "deit_huggingface.safetensors": 0.875, "huggingface_bare.safetensors": 1,
	} {
		if got := loadFixture(t, file).Preprocess.CropPct; got != want {
			t.Errorf("%s: crop %g, want %g", file, got, want)
		}
	}
}

// TestGatedActivation: SwiGLU has its own.
func TestGatedActivation(t *testing.T) {
	_, err := loadModel(t.Context(), writeTensors(t, tensorsOf(t, "dinov2_swiglu.pth")), loadOptions{Heads: 4, Activation: QuickGELU})
	if err == nil || !strings.Contains(err.Error(), "SwiGLU") {
		t.Errorf("got %v, want an error that names SwiGLU", err)
	}
}

// imageEncoder is the part of a CLIP fixture with a prefix, under short names.
func imageEncoder(t *testing.T, file, prefix string) map[string]checkpoint.Tensor {
	t.Helper()
	out := map[string]checkpoint.Tensor{}
	for name, x := range tensorsOf(t, file) {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			x.Name = short
			out[short] = x
		}
	}
	return out
}

// TestOpenCLIPTrunk: open_clip's SigLIP has timm's names after a prefix.
func TestOpenCLIPTrunk(t *testing.T) {
	all := map[string]checkpoint.Tensor{"logit_bias": zeros("logit_bias", 1), "text.ln_final.bias": zeros("text.ln_final.bias", 4)}
	for name, x := range tensorsOf(t, "siglip_timm.safetensors") {
		x.Name = "visual.trunk." + name
		all[x.Name] = x
	}
	m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := loadFixture(t, "siglip_timm.safetensors").Config; m.Config != want || len(m.Notes) < 2 || !strings.Contains(m.Notes[0], "text encoder (tensors: 1)") {
		t.Errorf("%+v, want %+v; notes %q", m.Config, want, m.Notes)
	}
}

// TestImageEncoderAlone: without the prefix of the whole model the same network
// is read, and then nothing passes as a text encoder's.
func TestImageEncoderAlone(t *testing.T) {
	for _, tc := range []struct{ file, prefix, text string }{
		{"clip_openai.pt", "visual.", "transformer.resblocks.0.ln_3.weight"},
		{"clip_huggingface.safetensors", "vision_model.", "text_model.final_layer_norm.weight"},
		{"siglip_huggingface.safetensors", "vision_model.", "logit_scale"},
	} {
		alone := imageEncoder(t, tc.file, tc.prefix)
		m, err := loadModel(t.Context(), writeTensors(t, alone), loadOptions{Heads: 4})
		if err != nil {
			t.Errorf("%s: %v", tc.file, err)
			continue
		}
		want := loadFixture(t, tc.file)
		for _, name := range []string{"cls", "pos", "blocks.1.qkv.weight"} {
			if name == "cls" && want.Config.NoClass {
				continue
			}
			a, err1 := m.tensor(name)
			b, err2 := want.tensor(name)
			if err1 != nil || err2 != nil || !slices.Equal(a, b) {
				t.Errorf("%s: %s differs without the prefix: %v, %v", tc.file, name, err1, err2)
			}
		}
		alone[tc.text] = zeros(tc.text, 16)
		wantError(t, alone, `unexpected "`+tc.text+`"`)
	}
}

// TestGraphsArePlain holds the graphs of all families to standard operators
// that compute no shapes.
func TestGraphsArePlain(t *testing.T) {
	for _, fx := range fixtures {
		m, err := onnx.Open(exportFile(t, loadFixture(t, fx.weights)))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", fx.weights, err)
		}
		used := map[string]bool{}
		for _, n := range m.Nodes {
			for _, in := range n.Inputs {
				used[in] = true
			}
			if n.Domain != "" || !slices.Contains(plainOps, n.Op) {
				t.Errorf("%s: node %s is a %s of domain %q", fx.weights, n.Name, n.Op, n.Domain)
			}
		}
		for _, x := range m.Initializers {
			if !used[x.Name] {
				t.Errorf("%s: nothing uses %s", fx.weights, x.Name)
			}
		}
		m.Close()
	}
}

// TestRandomOptions: every option can be drawn, and its taps have numbers.
func TestRandomOptions(t *testing.T) {
	orttest.Require(t)
	base := Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 2, MLP: 48, Classes: 3, Eps: 1e-6}
	for name, change := range map[string]func(*Config){
		"clip":   func(c *Config) { c.PreNorm, c.NoPatchBias, c.Projection, c.Activation = true, true, 24, QuickGELU },
		"dinov2": func(c *Config) { c.Gated, c.LayerScale, c.Registers, c.ClassifyMean = true, true, 4, true },
		"deit":   func(c *Config) { c.Distilled = true },
		"siglip": func(c *Config) { c.NoClass, c.AttnPool, c.Activation = true, true, TanhGELU },
	} {
		c := base
		change(&c)
		m, err := RandomConfig(c, 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pixels := make([]uint8, 2*20*20)
		for i := range pixels {
			pixels[i] = uint8(i * i)
		}
		out := runSession(t, openExport(t, m), pixels, []int64{2, 1, 20, 20})
		for _, tap := range m.Config.taps() {
			n := c.tapWidth(tap)
			if e := relativeError(out[tap][n:], out[tap][:n]); len(out[tap]) != 2*n || !(e > 1e-3) {
				t.Errorf("%s: %s of two images: %d numbers, which differ by %g", name, tap, len(out[tap]), e)
			}
		}
	}
}

func TestOptionsThatExcludeEachOther(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`activation is "relu"`:    func(c *Config) { c.Activation = "relu" },
		"number of registers":     func(c *Config) { c.Registers = 1 << 20 },
		"width of the projection": func(c *Config) { c.Projection = -1 },
		"projection":              func(c *Config) { c.NoClass, c.Projection = true, 4 },
		"attention pooling":       func(c *Config) { c.NoClass, c.Classes = true, 4 },
		"SwiGLU together":         func(c *Config) { c.Gated, c.AttnPool = true, true },
	} {
		c := Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 2, MLP: 48, Eps: 1e-6}
		change(&c)
		if _, err := RandomConfig(c, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// TestFamilyMetadata: the file tells the variant, and the publisher's own resize
// where that is another than the graph's.
func TestFamilyMetadata(t *testing.T) {
	m := loadFixture(t, "clip_openai.pt")
	m.Preprocess.Interpolation = "bicubic"
	md := m.graph(context.Background(), ExportOptions{}).Metadata
	for key, want := range map[string]string{
		"graft.family": "openai", "graft.variant": "quick_gelu, norm before the blocks, projection to 12", "graft.interpolation": "bilinear",
		"graft.source_interpolation": "bicubic", "graft.mean": "0.48145467,0.4578275,0.40821072", "graft.crop_pct": "1",
	} {
		if md[key] != want {
			t.Errorf("%s is %q, want %q", key, md[key], want)
		}
	}
	if md := loadFixture(t, "timm.safetensors").graph(context.Background(), ExportOptions{}).Metadata; md["graft.variant"] != "" || md["graft.source_interpolation"] != "" {
		t.Errorf("a plain network says %q", md)
	}
}

// TestConvertActivation: the activation can be named, and a wrong one not.
func TestConvertActivation(t *testing.T) {
	o := ConvertOptions{Weights: filepath.Join("testdata", "clip_huggingface.safetensors"), Heads: 4, Out: filepath.Join(t.TempDir(), "x.onnx"), Activation: GELU}
	s, err := Convert(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Activation != string(GELU) || s.Variant != "norm before the blocks, projection to 12" || !slices.Equal(s.Taps, []string{"cls", "mean", "proj", "cls_1", "mean_1", "cls_2", "mean_2"}) {
		t.Errorf("summary %+v", s)
	}
	if notes := strings.Join(s.Notes, "\n"); strings.Contains(notes, "quick GELU") {
		t.Errorf("the activation was named, and the notes say %q", notes)
	}
	o.Activation, o.Normalize = "", "half"
	if s, err = Convert(context.Background(), o, nil); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, "quick GELU assumed") || strings.Contains(notes, "mean and std assumed") {
		t.Errorf("the mean and std were named, the activation was not, and the notes say %q", notes)
	}
	o.Activation = "relu"
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "quick_gelu") {
		t.Errorf("got %v, want the known activations", err)
	}
}
