package blocks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/pretrained/blocks"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// find lists the cuts of a file for one image of the size that the file says.
func find(t *testing.T, path string) []blocks.Cut {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	shape, err := blocks.Input(m, 0)
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := blocks.Find(m, shape)
	if err != nil {
		t.Fatal(err)
	}
	return cuts
}

// TestFamilies: graft's own exports of every family have the blocks that they were built of, whatever stands before and
// behind these.
func TestFamilies(t *testing.T) {
	for name, change := range map[string]func(*vit.Config){
		"plain": func(*vit.Config) {},
		"gated": func(c *vit.Config) { c.MLP, c.Gated = 1024, true },
		"clip": func(c *vit.Config) {
			c.Activation, c.PreNorm, c.NoPatchBias, c.Projection = vit.QuickGELU, true, true, 24
		},
		"deit":   func(c *vit.Config) { c.Distilled = true },
		"dinov2": func(c *vit.Config) { c.LayerScale, c.Registers = true, 4 },
		"siglip": func(c *vit.Config) { c.NoClass, c.AttnPool = true, true },
		"oblong": func(c *vit.Config) { c.Across = 16 },
	} {
		c := vittest.Config
		c.Depth = 3
		change(&c)
		checkOwn(t, name, find(t, vittest.Write(t, t.TempDir(), c, 1)), 3)
	}
}

func checkOwn(t *testing.T, name string, cuts []blocks.Cut, depth int) {
	t.Helper()
	if len(cuts) != depth+1 {
		t.Fatalf("%s: %d blocks, want %d", name, len(cuts)-1, depth)
	}
	for i, c := range cuts {
		if i > 0 && (c.Tensor != fmt.Sprintf("blocks.%d.residual", i-1) || len(c.Residuals) != 2 || c.Parameters >= cuts[i-1].Parameters || c.MACs >= cuts[i-1].MACs) {
			t.Errorf("%s: block %d ends at %+v", name, i, c)
		}
	}
}

// TestRealViT: so has the real ViT-Tiny/16, each of its blocks 444,864 parameters.
func TestRealViT(t *testing.T) {
	weights := os.Getenv("GRAFT_VIT_TINY")
	if weights == "" {
		t.Skip("SKIPPED: GRAFT_VIT_TINY names no file: the blocks of the real ViT-Tiny/16 are not looked for")
	}
	path := filepath.Join(t.TempDir(), "real.onnx")
	if _, err := vit.Convert(t.Context(), vit.ConvertOptions{Weights: weights, Out: path, Version: "test"}, nil); err != nil {
		t.Fatal(err)
	}
	cuts := find(t, path)
	checkOwn(t, "ViT-Tiny", cuts, 12)
	for i, c := range cuts[1:] {
		if got := cuts[i].Parameters - c.Parameters; got != 444864 || !slices.Equal(c.Shape, []int{1, 197, 192}) {
			t.Errorf("block %d has %d parameters and ends in %v", c.Block, got, c.Shape)
		}
	}
}

// TestInput: what the file says counts; what it leaves open has to be given, and nothing else may be.
func TestInput(t *testing.T) {
	open, fixed := onnx.Dim{Name: "N"}, func(n int64) onnx.Dim { return onnx.Dim{Value: n} }
	said := map[string]string{"graft.image_size": "24"}
	for name, tc := range map[string]struct {
		dims     []onnx.Dim
		metadata map[string]string
		side     int
		want     []int
		err      string
	}{
		"declared":     {[]onnx.Dim{open, fixed(1), fixed(16), fixed(8)}, nil, 0, []int{1, 1, 16, 8}, ""},
		"open":         {[]onnx.Dim{open, open, open, open}, nil, 32, []int{1, 3, 32, 32}, ""},
		"not given":    {[]onnx.Dim{open, fixed(3), open, open}, nil, 0, nil, "leaves its size open"},
		"own":          {[]onnx.Dim{open, open, open, open}, said, 0, []int{1, 3, 24, 24}, ""},
		"own, given":   {[]onnx.Dim{open, open, open, open}, said, 32, nil, "24x24 pixels, as the file says, and not 32"},
		"fixed, given": {[]onnx.Dim{open, fixed(3), fixed(16), fixed(16)}, nil, 32, nil, "not 32"},
		"no images":    {[]onnx.Dim{open, fixed(3)}, nil, 0, nil, "want one of images"},
	} {
		m := &onnx.Model{Opset: 13, Metadata: tc.metadata, Inputs: []onnx.Value{{Name: "x", Type: onnx.Float32, Dims: tc.dims}}}
		got, err := blocks.Input(m, tc.side)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, %v; want %v, %q", name, got, err, tc.want, tc.err)
		}
	}
}
