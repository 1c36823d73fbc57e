package pretrained

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/preprocess"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// TestTapsOfFamilies: networks without a class token have a first tap too, and
// taps may differ in width.
func TestTapsOfFamilies(t *testing.T) {
	orttest.Require(t)
	for _, tc := range []struct {
		name   string
		change func(*vit.Config)
		all    string // in order, the default first
		proj   int
	}{
		{"clip", func(c *vit.Config) { c.PreNorm, c.NoPatchBias, c.Projection = true, true, 24 }, "cls,mean,proj,cls_1,mean_1,cls_2,mean_2", 24},
		{"deit", func(c *vit.Config) { c.Distilled = true }, "cls,mean,dist,cls_1,mean_1,cls_2,mean_2", 0},
		{"dinov2", func(c *vit.Config) { c.LayerScale, c.Registers = true, 4 }, "cls,mean,cls_1,mean_1,cls_2,mean_2", 0},
		{"siglip", func(c *vit.Config) { c.NoClass, c.AttnPool = true, true }, "pool,mean,mean_1,mean_2", 0},
	} {
		c := vittest.Config
		tc.change(&c)
		b, err := Open(t.Context(), vittest.Write(t, t.TempDir(), c, 1), Options{})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		taps := b.Taps()
		if !slices.Equal(taps, strings.Split(tc.all, ",")) {
			t.Errorf("%s: all taps are %v; want %s", tc.name, taps, tc.all)
		}
		if b.Dim("proj") != tc.proj {
			t.Errorf("%s: proj has %d numbers, want %d", tc.name, b.Dim("proj"), tc.proj)
		}
		batch := []preprocess.Image{b.Prepare(randomImage(rand.New(rand.NewPCG(1, 2)), 1, 24, 24))}
		if err := b.Run(context.Background(), batch, taps, outputs(b, 1, taps)); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An oblong network gets oblong images: what has another shape is cut to it.
func TestOblong(t *testing.T) {
	orttest.Require(t)
	c := vittest.Config
	c.Image, c.Across = 32, 16
	b, err := Open(t.Context(), vittest.Write(t, t.TempDir(), c, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if s := b.Preprocessing(); s.Size != 32 || s.Width != 16 {
		t.Errorf("preprocessing %+v", s)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for shape, want := range map[[2]int][2]int{{48, 48}: {32, 16}, {16, 8}: {16, 8}, {64, 32}: {32, 16}, {20, 60}: {32, 16}} {
		im := b.Prepare(randomImage(rng, 3, shape[0], shape[1]))
		if im.H != want[0] || im.W != want[1] {
			t.Errorf("%v became %dx%d, want %v", shape, im.H, im.W, want)
		}
		if err := b.Run(t.Context(), []preprocess.Image{im}, []string{"cls"}, outputs(b, 1, []string{"cls"})); err != nil {
			t.Error(err)
		}
	}
}
