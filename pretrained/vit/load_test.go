package vit

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"graft/pretrained/checkpoint"
)

// tensorsOf reads a whole fixture, to be changed and written again.
func tensorsOf(t testing.TB, name string) map[string]checkpoint.Tensor {
	t.Helper()
	f := openFile(t, filepath.Join("testdata", name))
	out := map[string]checkpoint.Tensor{}
	for _, n := range f.Names() {
		info, _ := f.Info(n)
		if strings.HasPrefix(info.DType, "I") {
			continue // sizes beside the weights
		}
		data, err := f.Float32(n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = checkpoint.Tensor{Name: n, Shape: info.Shape, Data: data}
	}
	return out
}

// writeTensors writes them and opens the file.
func writeTensors(t testing.TB, tensors map[string]checkpoint.Tensor) *checkpoint.File {
	t.Helper()
	var list []checkpoint.Tensor
	for _, x := range tensors {
		list = append(list, x)
	}
	path := filepath.Join(t.TempDir(), "changed.safetensors")
	if err := checkpoint.WriteSafetensors(path, list, nil); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func zeros(name string, shape ...int) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Shape: shape, Data: make([]float32, elements(shape))}
}

func TestLoadReadsSizes(t *testing.T) {
	plain := Config{Image: 32, Patch: 8, Width: 32, Depth: 3, Heads: 4, MLP: 48, Classes: 5, Eps: 1e-6, Activation: GELU}
	with := func(change func(*Config)) Config {
		c := plain
		change(&c)
		return c
	}
	hf := func(c *Config) { c.Image, c.Patch, c.Eps = 48, 16, 1e-12 }
	for name, want := range map[string]Config{
		"torchvision.pth":              plain,
		"torchvision_legacy.pth":       plain,
		"timm.safetensors":             plain,
		"dino.pth":                     with(func(c *Config) { c.Classes = 0 }),
		"huggingface.safetensors":      with(hf),
		"huggingface_bare.safetensors": with(func(c *Config) { hf(c); c.Classes = 0 }),
	} {
		if got := loadFixture(t, name).Config; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestLoadParameters counts what the file holds, the pooler aside.
func TestLoadParameters(t *testing.T) {
	total := int64(0)
	for _, x := range tensorsOf(t, "timm.safetensors") {
		total += int64(len(x.Data))
	}
	if got := loadFixture(t, "timm.safetensors").Config.Params(); got != total {
		t.Errorf("%d parameters, the file has %d", got, total)
	}
}

// TestLoadIsStrict: every tensor, taken away, misshapen or doubled under
// another name, is named in the error.
func TestLoadIsStrict(t *testing.T) {
	prefixes := strings.NewReplacer("dinov2.", "", "deit.", "", "vit.", "", "visual.", "", "vision_model.", "")
	for _, file := range []string{
		"torchvision.pth", "timm.safetensors", "huggingface.safetensors", "clip_openai.pt", "clip_huggingface.safetensors", "clip_timm.safetensors",
		"deit.safetensors", "deit_huggingface.safetensors", "dinov2.pth", "dinov2_huggingface.safetensors", "dinov2_swiglu.pth",
		"dinov2_reg_timm.safetensors", "dinov2_reg.pth", "dinov2_reg_huggingface.safetensors", "siglip_timm.safetensors", "siglip_huggingface.safetensors",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel() // most of the time goes into syncing files
			all := tensorsOf(t, file)
			for name, x := range all {
				if spare(name) || name == "cls_token" && file == "dinov2_reg_timm.safetensors" {
					continue // whose positions are the patches', as those of a network without the token
				}
				delete(all, name)
				wantError(t, all, prefixes.Replace(name)) // no prefix where nothing was recognised
				bad := slices.Clone(x.Shape)
				bad[len(bad)-1] += 2
				all[name] = zeros(name, bad...)
				wantError(t, all, name)
				all[name] = x
			}
			all["unheard.of"] = zeros("unheard.of", 3)
			wantError(t, all, `unexpected "unheard.of"`)
		})
	}
}

// spare tells of tensors that a file may lack: the parts that only sometimes
// come with a network, and what has no part in its features. Of the blocks one
// is enough to look at.
func spare(name string) bool {
	return regexp.MustCompile(`(blocks|layers?)\.[1-9]|encoder_layer_[1-9]`).MatchString(name) || regexp.MustCompile(`^(head(_dist)?\.|(cls_|distillation_)?classifier|heads\.|visual\.proj|visual_projection)|mask_token|reg(ister)?_token`+
		`|^(text_|transformer|token_emb|ln_final|positional|logit_|input_|context_|vocab_)`).MatchString(name)
}

func wantError(t *testing.T, tensors map[string]checkpoint.Tensor, wants ...string) {
	t.Helper()
	_, err := loadModel(t.Context(), writeTensors(t, tensors), loadOptions{Heads: 4})
	if err == nil {
		t.Errorf("no error, want one with %q", wants)
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to contain %q", err, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		change     func(m map[string]checkpoint.Tensor)
		wants      []string
	}{
		{"both wrong ways", "torchvision.pth", func(m map[string]checkpoint.Tensor) {
			x := m["encoder.ln.weight"]
			delete(m, "encoder.ln.weight")
			x.Name = "encoder.lm.weight"
			m[x.Name] = x
		}, []string{`missing "encoder.ln.weight"`, `unexpected "encoder.lm.weight"`, "torchvision names"}},
		{"shape", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["blocks.1.mlp.fc1.bias"] = zeros("blocks.1.mlp.fc1.bias", 47)
		}, []string{`"blocks.1.mlp.fc1.bias" (want [48], got [47])`}},
		{"one of three", "huggingface.safetensors", func(m map[string]checkpoint.Tensor) {
			delete(m, "vit.encoder.layer.2.attention.attention.key.bias")
		}, []string{`missing "vit.encoder.layer.2.attention.attention.key.bias"`}},
		{"gap in the blocks", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			for name := range m {
				if strings.HasPrefix(name, "blocks.1.") {
					delete(m, name)
				}
			}
		}, []string{`missing "blocks.1.norm1.weight"`, "and 7 more"}},
		{"absurd block number", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["blocks.123456789.norm1.weight"] = zeros("blocks.123456789.norm1.weight", 32)
		}, []string{"number of blocks is 123456790"}},
		{"distilled, with positions of one token", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["dist_token"] = zeros("dist_token", 1, 1, 32)
		}, []string{`"pos_embed"`, `not "cls_token", "dist_token" and a square grid`}},
		{"layer scale of one block", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["blocks.0.ls1.gamma"] = zeros("blocks.0.ls1.gamma", 32)
		}, []string{`missing "blocks.0.ls2.gamma", "blocks.1.ls1.gamma"`}},
		{"half a norm of the mean", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["fc_norm.weight"] = zeros("fc_norm.weight", 32)
		}, []string{`missing "fc_norm.bias"`}},
		{"grid not square", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["pos_embed"] = zeros("pos_embed", 1, 19, 32)
		}, []string{`"pos_embed"`, "square grid"}},
		{"patch not square", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["patch_embed.proj.weight"] = zeros("patch_embed.proj.weight", 32, 3, 8, 16)
		}, []string{`"patch_embed.proj.weight" (want [32 3 8 8], got [32 3 8 16])`}},
		{"four channels", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["patch_embed.proj.weight"] = zeros("patch_embed.proj.weight", 32, 4, 8, 8)
		}, []string{"want [32 3 8 8], got [32 4 8 8]"}},
		{"no vision transformer", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			clear(m)
			m["conv1.weight"] = zeros("conv1.weight", 64, 3, 7, 7)
		}, []string{"conv_proj.weight", "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := tensorsOf(t, tc.file)
			tc.change(all)
			wantError(t, all, tc.wants...)
		})
	}
}

func TestLoadHeads(t *testing.T) {
	f := openFile(t, filepath.Join("testdata", "timm.safetensors"))
	if _, err := loadModel(t.Context(), f, loadOptions{}); err == nil || !strings.Contains(err.Error(), "--heads") {
		t.Errorf("width 32 has no known number of heads: got %v", err)
	}
	if _, err := loadModel(t.Context(), f, loadOptions{Heads: 5}); err == nil || !strings.Contains(err.Error(), "5 heads do not divide the width 32") {
		t.Errorf("got %v", err)
	}
	for width, want := range map[int]int{192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16, 512: 8} {
		if got, err := headsOf(width); err != nil || got != want {
			t.Errorf("width %d: %d heads, %v; want %d", width, got, err, want)
		}
	}
}

func TestLoadNotes(t *testing.T) {
	m := loadFixture(t, "timm.safetensors")
	if !slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, "--normalize imagenet") }) {
		t.Errorf("notes do not say what was assumed: %q", m.Notes)
	}
}

// TestIgnoredTensors: the exceptions are exact, not a licence.
func TestIgnoredTensors(t *testing.T) {
	all := tensorsOf(t, "huggingface_bare.safetensors")
	all["embeddings.mask_token"] = zeros("embeddings.mask_token", 1, 1, 32)
	if _, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4}); err != nil {
		t.Errorf("pooler and mask token are not needed, got %v", err)
	}
	all["embeddings.other"] = zeros("embeddings.other", 2)
	wantError(t, all, `unexpected "embeddings.other"`)
}

// FuzzLoad gives loadModel files with any names and shapes: an error or a model that
// can be read, never a panic.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{
		"timm.safetensors", "huggingface_bare.safetensors", "clip_openai.pt", "clip_huggingface.safetensors", "deit.safetensors", "dinov2_swiglu.pth",
		"dinov2_reg_huggingface.safetensors", "siglip_timm.safetensors", "siglip_huggingface.safetensors",
	} {
		all := tensorsOf(f, name)
		for n, x := range all { // small seeds: one number a tensor
			if len(x.Shape) > 0 {
				all[n] = checkpoint.Tensor{Name: n, Shape: make([]int, len(x.Shape))}
			}
		}
		seed, err := os.ReadFile(writeTensors(f, all).Path())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := checkpoint.Open(path, "")
		if err != nil {
			return
		}
		defer file.Close()
		m, err := loadModel(t.Context(), file, loadOptions{Heads: 1})
		if err != nil {
			return
		}
		for _, s := range layout(m.Config) {
			if v, err := m.tensor(s.name); err == nil && len(v) != elements(s.shape) {
				t.Errorf("tensor %q has %d numbers, want %v", s.name, len(v), s.shape)
			}
		}
	})
}

// The encoder of a masked autoencoder is read, its decoder told as not used.
func TestMaskedAutoencoder(t *testing.T) {
	all := tensorsOf(t, "timm.safetensors")
	delete(all, "head.weight")
	delete(all, "head.bias")
	for _, name := range []string{"mask_token", "decoder_embed.weight", "decoder_pos_embed", "decoder_blocks.0.norm1.weight", "decoder_pred.bias"} {
		all[name] = zeros(name, 2)
	}
	m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(m.Notes, "\n"); m.Family != "mae" || !strings.Contains(notes, "the decoder of masked pretraining (tensors: 5)") {
		t.Errorf("%s names; %s", m.Family, notes)
	}
}
