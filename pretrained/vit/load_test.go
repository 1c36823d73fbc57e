package vit

import (
	"os"
	"path/filepath"
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
	f, err := checkpoint.Open(path)
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
	for name, want := range map[string]Config{
		"torchvision.pth":              {32, 8, 32, 3, 4, 48, 5, 1e-6},
		"torchvision_legacy.pth":       {32, 8, 32, 3, 4, 48, 5, 1e-6},
		"timm.safetensors":             {32, 8, 32, 3, 4, 48, 5, 1e-6},
		"dino.pth":                     {32, 8, 32, 3, 4, 48, 0, 1e-6},
		"huggingface.safetensors":      {48, 16, 32, 3, 4, 48, 5, 1e-12},
		"huggingface_bare.safetensors": {48, 16, 32, 3, 4, 48, 0, 1e-12},
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
	for _, file := range []string{"torchvision.pth", "timm.safetensors", "huggingface.safetensors"} {
		all := tensorsOf(t, file)
		for name, x := range all {
			if strings.HasPrefix(name, "head.") || strings.HasPrefix(name, "classifier.") || strings.HasPrefix(name, "heads.") {
				continue // a file without a classifier is whole too
			}
			delete(all, name)
			wantError(t, all, strings.TrimPrefix(name, "vit.")) // no prefix where nothing was recognised
			bad := slices.Clone(x.Shape)
			bad[len(bad)-1] += 2
			all[name] = zeros(name, bad...)
			wantError(t, all, name)
			all[name] = x
		}
		all["unheard.of"] = zeros("unheard.of", 3)
		wantError(t, all, `unexpected "unheard.of"`)
	}
}

func wantError(t *testing.T, tensors map[string]checkpoint.Tensor, wants ...string) {
	t.Helper()
	_, err := Load(writeTensors(t, tensors), LoadOptions{Heads: 4})
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
		{"distilled", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["dist_token"] = zeros("dist_token", 1, 1, 32)
		}, []string{`"dist_token" (a distilled DeiT`}},
		{"layer scale", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["blocks.0.ls1.gamma"] = zeros("blocks.0.ls1.gamma", 32)
		}, []string{`"blocks.0.ls1.gamma" (layer scale`}},
		{"grid not square", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["pos_embed"] = zeros("pos_embed", 1, 19, 32)
		}, []string{`"pos_embed"`, "square grid"}},
		{"patch not square", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["patch_embed.proj.weight"] = zeros("patch_embed.proj.weight", 32, 3, 8, 16)
		}, []string{`"patch_embed.proj.weight" (want [32 3 8 8], got [32 3 8 16])`}},
		{"gray weights", "timm.safetensors", func(m map[string]checkpoint.Tensor) {
			m["patch_embed.proj.weight"] = zeros("patch_embed.proj.weight", 32, 1, 8, 8)
		}, []string{"want [32 3 8 8], got [32 1 8 8]"}},
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
	if _, err := Load(f, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "--heads") {
		t.Errorf("width 32 has no known number of heads: got %v", err)
	}
	if _, err := Load(f, LoadOptions{Heads: 5}); err == nil || !strings.Contains(err.Error(), "5 heads do not divide the width 32") {
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
	if _, err := Load(writeTensors(t, all), LoadOptions{Heads: 4}); err != nil {
		t.Errorf("pooler and mask token are not needed, got %v", err)
	}
	all["pooler2.dense.weight"] = zeros("pooler2.dense.weight", 2)
	wantError(t, all, `unexpected "pooler2.dense.weight"`)
}

// FuzzLoad gives Load files with any names and shapes: an error or a model that
// can be read, never a panic.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"timm.safetensors", "huggingface_bare.safetensors"} {
		all := tensorsOf(f, name)
		for n, x := range all { // small seeds: one number a tensor
			all[n] = checkpoint.Tensor{Name: n, Shape: make([]int, len(x.Shape))}
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
		file, err := checkpoint.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		m, err := Load(file, LoadOptions{Heads: 1})
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
