package vit

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/pretrained/checkpoint"
)

// besides puts a file of weights with sixteen positions, and a config.json, into a folder of their own.
func besides(t *testing.T, config string) string {
	t.Helper()
	var list []checkpoint.Tensor
	for _, x := range tensorsOf(t, "timm.safetensors") {
		list = append(list, x)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "timm.safetensors")
	if err := checkpoint.WriteSafetensors(path, list, nil); err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Sixteen patches of 8 pixels are a square of 32, unless somebody says otherwise;
// what nobody can mean by them is refused.
func TestOblongInput(t *testing.T) {
	for _, c := range []struct {
		name, config    string
		height, width   int // --image-size
		image, across   int
		notes, mistaken string
	}{
		{"square by default", "", 0, 0, 32, 0, "fit a square input of 32 pixels, which is taken; --image-size HxW", ""},
		{"flag", "", 64, 16, 64, 16, "64x16 pixels, as --image-size states", ""},
		{"flag that does not fit", "", 64, 24, 64, 24, "interpolated from 32 to 64x24 pixels", ""},
		{"flag that does not fit, of an oblong grid", `{"image_size": [16, 64]}`, 24, 32, 24, 32, "interpolated from 16x64 to 24x32 pixels", ""},
		{"flag of half patches", "", 128, 12, 0, 0, "", "multiple of the patch size"},
		{"config.json", `{"image_size": [16, 64]}`, 0, 0, 16, 64, "config.json states", ""},
		{"config.json of a square", `{"image_size": 32}`, 0, 0, 32, 0, "config.json states", ""},
		{"config.json of a whole CLIP", `{"text_config": {}, "vision_config": {"image_size": 32}}`, 0, 0, 32, 0, "config.json states", ""},
		{"config.json that does not fit", `{"image_size": 48}`, 0, 0, 0, 0, "", "the patches of 48 pixels, which "},
		{"config.json of no size", `{"image_size": "large"}`, 0, 0, 0, 0, "", "config.json is \"large\""},
		{"flag before config.json of no size", `{"image_size": "large"}`, 16, 64, 16, 64, "--image-size states", ""},
		{"square flag before config.json of no size", `{"image_size": "large"}`, 48, 0, 48, 0, "fit a square input of 32 pixels", ""},
		{"config.json of another network and no size", `{"hidden_size": 768, "image_size": "large"}`, 0, 0, 32, 0, "of another network", ""},
		{"config.json of another program", `[1, 2]`, 0, 0, 32, 0, "which is taken", ""},
		{"flag before config.json", `{"image_size": 32}`, 16, 64, 16, 64, "--image-size states", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "x.onnx")
			o := ConvertOptions{Weights: besides(t, c.config), Heads: 4, Out: out, ImageSize: c.height, ImageWidth: c.width}
			s, err := Convert(t.Context(), o, nil)
			if c.mistaken != "" {
				if err == nil || !strings.Contains(err.Error(), c.mistaken) {
					t.Errorf("error %v, want one with %q", err, c.mistaken)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if notes := strings.Join(s.Notes, "\n"); s.Image != c.image || s.Across != c.across || !strings.Contains(notes, c.notes) {
				t.Errorf("%dx%d, want %dx%d; notes %s", s.Image, s.Across, c.image, c.across, notes)
			}
		})
	}
}

// An oblong network sees the same tokens as a square one whose image has the same
// patches in the same order.
func TestOblongEqualsSquare(t *testing.T) {
	orttest.Require(t)
	rng := rand.New(rand.NewPCG(5, 6))
	const patch, rows, cols, side = 8, 8, 2, 4
	oblong, square := make([]uint8, 3*rows*cols*patch*patch), make([]uint8, 3*side*side*patch*patch)
	for i := range 3 * rows * cols * patch * patch {
		v := uint8(rng.Uint32())
		c, y, x := i/(rows*patch*cols*patch), i/(cols*patch)%(rows*patch), i%(cols*patch)
		token := y/patch*cols + x/patch
		oblong[i], square[((c*side+token/side)*patch+y%patch)*side*patch+token%side*patch+x%patch] = v, v
	}
	path := filepath.Join(t.TempDir(), "x.onnx")
	if _, err := Convert(t.Context(), ConvertOptions{Weights: besides(t, ""), Heads: 4, Out: path, ImageSize: rows * patch, ImageWidth: cols * patch}, nil); err != nil {
		t.Fatal(err)
	}
	got := runSession(t, openSession(t, path), oblong, []int64{1, 3, rows * patch, cols * patch})
	want := runSession(t, openExport(t, loadFixture(t, "timm.safetensors")), square, []int64{1, 3, side * patch, side * patch})
	for tap, x := range want {
		if e := relativeError(got[tap], x); !(e <= 1e-6) {
			t.Errorf("%s: relative error %g", tap, e)
		}
	}
	m, err := onnx.OpenHeader(path)
	if err != nil || m.Metadata["graft.image_size"] != "64x16" {
		t.Errorf("metadata %v, %v", m.Metadata, err)
	}
	m.Close()
}

// Positions of registers stay, those of patches are interpolated to another, oblong grid, as timm does it.
func TestOblongInterpolation(t *testing.T) {
	orttest.Require(t)
	m := loadFixture(t, "rms.safetensors")
	if !m.Config.RegisterPos || !m.Config.RMSNorm || !m.Config.QKRMS || !m.Config.NoQKVBias || !m.Config.NoMLPBias {
		t.Errorf("read as %+v", m.Config)
	}
	if err := m.setImageSize(24, 40); err != nil {
		t.Fatal(err)
	}
	s, want := openExport(t, m), openFile(t, filepath.Join("testdata", "rms_24x40.expected.safetensors"))
	for _, kind := range []string{"gray", "rgb"} {
		compareOutputs(t, s, want, kind)
	}
}

// A bias that one block has and the others lack is no network without biases.
func TestHalfOfTheBiases(t *testing.T) {
	all := tensorsOf(t, "timm.safetensors")
	delete(all, "blocks.1.attn.qkv.bias")
	if _, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4}); err == nil || !strings.Contains(err.Error(), `missing "blocks.1.attn.qkv.bias"`) {
		t.Error(err)
	}
}

// From an oblong grid to a square: resampling is linear along each axis, and what is
// constant along one stays so.
func TestOblongPositions(t *testing.T) {
	pos := []float32{7, 7, 1, 2, 1, 2, 1, 2, 5, 6, 5, 6, 5, 6} // [1+2·3,2]
	got := torchvision.resample.positions(pos, 2, 1, grid{2, 3}, grid{4, 4})
	line := torchvision.resample.positions([]float32{1, 2, 1, 2, 5, 6, 5, 6}, 2, 0, grid{2, 2}, grid{4, 4}) // [2·2,2] to [4·4,2]
	if len(got) != 2+2*16 || !(relativeError(got[2:], line) <= 1e-6) || got[0] != 7 {
		t.Errorf("%v, want 7 7 and then %v", got, line)
	}
}

// A network without a table of positions is told as that.
func TestNoPositions(t *testing.T) {
	all := tensorsOf(t, "timm.safetensors")
	delete(all, "pos_embed")
	if _, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4}); err == nil || !strings.Contains(err.Error(), `missing tensor "pos_embed": networks whose positions are no table`) {
		t.Error(err)
	}
}
