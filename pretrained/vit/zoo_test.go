package vit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"graft/models"
)

// configOf is the network that an entry of the zoo describes: what loadModel reads
// from the real file.
func configOf(t *testing.T, e models.Entry) Config {
	t.Helper()
	i := slices.IndexFunc(families, func(f *family) bool { return f.name == e.Family })
	if i < 0 {
		t.Fatalf("%s: no family %s", e.Name, e.Family)
	}
	c := families[i].always
	c.Image, c.Eps, c.Classes, c.Activation = e.Image, families[i].eps, e.Classes, Activation(e.Activation)
	for _, s := range sizes {
		if _, err := fmt.Sscanf(e.Arch, "vit_"+s.name+"_%d", &c.Patch); err == nil {
			c.Width, c.Depth, c.Heads, c.MLP = s.width, s.depth, s.heads, s.mlp
			break
		}
	}
	has := func(word string) bool { return strings.Contains(e.Name, word) }
	c.ClassifyMean = false
	c.Distilled = has("distilled")
	c.AttnPool = has("siglip")
	c.Gated = has("giant")
	if has("deit3") {
		c.LayerScale, c.NoClassPos = true, true
	}
	if has("dinov2") {
		c.Image = 518 // of the position embedding; it is run at 224
		if has("_reg") {
			c.Registers = 4
		}
	}
	if has("clip") {
		c.Projection = map[int]int{768: 512, 1024: 768}[c.Width]
	}
	return c
}

// TestZooParameters: the numbers of parameters follow from the networks, and so
// do the names that the tensors are compared with.
func TestZooParameters(t *testing.T) {
	for _, e := range models.List() {
		if e.ONNX() {
			continue // no checkpoint of a ViT
		}
		c := configOf(t, e)
		if err := c.validate(); err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if c.Params() != e.Parameters || c.Arch() != e.Arch {
			t.Errorf("%s: %d parameters of %s, the zoo says %d of %s", e.Name, c.Params(), c.Arch(), e.Parameters, e.Arch)
		}
		c.Image = e.Image
		if err := c.validate(); err != nil {
			t.Errorf("%s at the size it is run at: %v", e.Name, err)
		}
	}
}

// TestZooDecides: activation and image size come with the name.
func TestZooDecides(t *testing.T) {
	for _, tc := range []struct {
		name, asked string
		activation  Activation
		usual       int
	}{
		{"clip_vit_base_patch16", "", QuickGELU, 224},
		{"clip_vit_large_patch14_336", "", QuickGELU, 336},
		{"laion_clip_vit_base_patch16", "", GELU, 224},
		{"laion_clip_vit_base_patch16", "quick_gelu", QuickGELU, 224},
		{"dinov2_vit_small_patch14_reg", "", GELU, 224},
		{"siglip_base_patch16", "", TanhGELU, 224},
		{"dino_vit_small_patch8", "", GELU, 224},
	} {
		e, err := models.Get(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(families, func(f *family) bool { return f.name == e.Family })
		c := configOf(t, e)
		c.Activation = families[i].activation
		if tc.asked != "" {
			c.Activation = Activation(tc.asked)
		}
		m := &Model{Config: c, Family: e.Family}
		if err := m.describe(families[i], beside{}, loadOptions{Name: tc.name, Activation: Activation(tc.asked)}); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]resampling{true: dinoResample}[strings.HasPrefix(tc.name, "dino_")]; m.resample != want {
			t.Errorf("%s: positions are resized by %+v, want %+v", tc.name, m.resample, want)
		}
		if m.Config.act() != tc.activation || m.usual != tc.usual || m.Preprocess.Interpolation != "bicubic" || m.Preprocess.Mean != e.Mean {
			t.Errorf("%s: %s, %d pixels, %+v", tc.name, m.Config.act(), m.usual, m.Preprocess)
		}
	}
}

// TestZooTellsOtherParameters: a file that is not quite the entry's is told.
func TestZooTellsOtherParameters(t *testing.T) {
	e, err := models.Get("deit_small_patch16")
	if err != nil {
		t.Fatal(err)
	}
	for _, distilled := range []bool{false, true} {
		c := configOf(t, e)
		c.Distilled = distilled
		m := &Model{Config: c, Family: e.Family}
		if err := m.describe(&timm, beside{}, loadOptions{Name: e.Name}); err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(m.Notes, "\n"); strings.Contains(notes, "has 22050664 parameters") != distilled {
			t.Errorf("distilled %t: notes %q", distilled, notes)
		}
	}
}
