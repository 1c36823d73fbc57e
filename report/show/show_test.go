package show

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/graph"
	"graft/onnx"
	"graft/onnx/meta"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/foreigntest"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
	"graft/report/raster"
)

// photograph writes an image of noise in colours, wider than high, and returns its path.
func photograph(t *testing.T, dir string) string {
	t.Helper()
	im, rng := image.NewNRGBA(image.Rect(0, 0, 60, 40)), rand.New(rand.NewPCG(1, 2))
	for i := range im.Pix {
		im.Pix[i] = uint8(rng.IntN(256)) | uint8(255*(i%4/3))
	}
	path := filepath.Join(dir, "photo.png")
	data, err := raster.PNG(im)
	if err == nil {
		err = os.WriteFile(path, data, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// foreign are other makers' networks by name: blocks of attention that are drawn, those that are not, layers of maps,
// and the evidence's rows.
var foreign = map[string]struct{ blocks, windows, layers, rows int }{
	"resnet_basic": {0, 0, 14, 2}, "resnet_bottleneck": {0, 0, 20, 2}, "resnet_timm": {0, 0, 19, 2}, "mobilenet_v2": {0, 0, 19, 4},
	"mobilenet_v3": {0, 0, 13, 4}, "efficientnet": {0, 0, 16, 4}, "efficientnet_lite": {0, 0, 16, 4}, "efficientnet_same": {0, 0, 16, 4},
	"convnext": {0, 0, 5, 4}, "convnext_timm": {0, 0, 7, 2}, "vit": {3, 0, 1, 4}, "vit_timm": {3, 0, 1, 4}, "deit": {3, 0, 1, 4},
	"dinov2": {3, 0, 1, 4}, "dinov2_swiglu": {3, 0, 1, 4}, "forms": {6, 0, 1, 4}, "swin": {1, 2, 1, 0}, "swin_timm": {1, 2, 1, 0},
}

// TestForeign: whoever wrote a network, its parts are told from its structure, and both of torch's exporters give the same.
func TestForeign(t *testing.T) {
	photo, first := photograph(t, t.TempDir()), map[string]*Result{}
	foreigntest.Each(t, "../../graph/raise/testdata", func(t *testing.T, n foreigntest.Network) {
		r, err := Run(t.Context(), Config{Model: n.Path, Image: photo, Foreign: &preprocess.Spec{Size: 32, Normalization: preprocess.Half}, Class: "1"})
		if err != nil {
			t.Fatal(err)
		}
		got := foreign[n.Name]
		got.blocks, got.layers, got.windows, got.rows = len(r.Blocks), len(r.Layers), 0, 0
		if strings.Contains(strings.Join(r.Notes, " "), "attention of 2 layers") {
			got.windows = 2
		}
		if r.Evidence != nil {
			got.rows = r.Evidence.Rows
		}
		if got != foreign[n.Name] || r.Seen != [4]float64{10, 0, 40, 40} {
			t.Errorf("found %+v, want %+v; seen %v; notes %q", got, foreign[n.Name], r.Seen, r.Notes)
		}
		if before := first[n.Name]; before != nil && n.Name != "forms" {
			for i := range r.Blocks {
				near(t, "attention", slices.Concat(r.Blocks[i].Heads...), slices.Concat(before.Blocks[i].Heads...))
				near(t, "norms", r.Blocks[i].Norms, before.Blocks[i].Norms)
			}
			if e := before.Evidence; e != nil && slices.Max(e.Values) > 0 {
				near(t, "evidence", r.Evidence.Values, e.Values)
			}
		}
		first[n.Name] = r
	})
}

// TestOwnFile: a backbone that graft exported; its classifier is all zero, so that nothing speaks for a class.
func TestOwnFile(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	r, err := Run(t.Context(), Config{Model: vittest.WriteTiny(t, dir), Image: photograph(t, dir)})
	if err == nil {
		err = r.Write(Folder{Path: out, Form: FormPNG})
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.Patches != [2]int{4, 4} || len(r.Blocks) != 2 || len(r.Blocks[0].Heads) != 4 || len(r.Blocks[1].Norms) != 16 || len(r.Classes) != 5 {
		t.Errorf("patches %v, %d blocks, %d classes", r.Patches, len(r.Blocks), len(r.Classes))
	}
	for i, want := range [4]float64{110.0 / 9, 20.0 / 9, 320.0 / 9, 320.0 / 9} { // 40 lines are made 36, of which 32 are cut out
		if math.Abs(r.Seen[i]-want) > 1e-9 {
			t.Errorf("the network sees %v of 60×40 pixels", r.Seen)
		}
	}
	for _, v := range r.Evidence.Values {
		if v != 0 {
			t.Fatalf("evidence %v of a classifier of zeros", r.Evidence.Values)
		}
	}
	over := slices.IndexFunc(r.Files, func(f string) bool { return strings.HasSuffix(f, "evidence-photo.png") })
	data, err := os.ReadFile(filepath.Join(out, r.Files[over]))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 60 || c.Height != 40 {
		t.Errorf("the photograph's picture has %d×%d pixels, %v", c.Width, c.Height, err)
	}
}

// TestWholePhotographsAreRefused: [N,H,W,C] is not taken for [N,C,H,W].
func TestWholePhotographsAreRefused(t *testing.T) {
	in := onnx.Value{Name: "pixels", Type: onnx.Uint8, Dims: make([]onnx.Dim, 4)}
	f := &pretrained.File{Path: "whole.onnx", Header: &onnx.Model{Inputs: []onnx.Value{in}}, Meta: meta.Meta{Kind: "cnn", Whole: true}}
	if _, _, _, err := input(f, nil, preprocess.New(3, 4, 4)); err == nil || !strings.Contains(err.Error(), "whole.onnx takes whole photographs") {
		t.Errorf("error %v", err)
	}
}

// TestWhatIsRead: an image that the graph enlarges by rows and then by columns is shown as the first layer reads it, and not
// halfway.
func TestWhatIsRead(t *testing.T) {
	f, err := pretrained.OpenFile(vittest.WriteTiny(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, im := range []preprocess.Image{preprocess.New(1, 24, 24), preprocess.New(3, 24, 24), preprocess.New(3, 40, 60)} {
		n := &network{g: graph.New()}
		part, err := n.raise(f, m, nil, im, []string{"cls"})
		if err != nil {
			t.Fatal(err)
		}
		n.end = part.Outputs[0]
		if s := dissect(n).seen.Shape(); !s.Equal(graph.Shape{1, 3, 32, 32}) {
			t.Errorf("of %d×%d×%d pixels the first layer reads %v, want 1×3×32×32", im.C, im.H, im.W, s)
		}
	}
}

// TestRegistersAndPooling: tokens before the patches are told from these, and so is what a trained query reads.
func TestRegistersAndPooling(t *testing.T) {
	for _, c := range []struct {
		config         vit.Config
		prefix, pooled int
	}{
		{vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 4, MLP: 64, Registers: 3, Eps: 1e-6}, 4, 0},
		{vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 4, MLP: 64, NoClass: true, AttnPool: true, Eps: 1e-6}, 0, 1},
	} {
		dir := t.TempDir()
		path := vittest.Write(t, dir, c.config, 1)
		im := preprocess.New(3, 32, 32)
		n, err := open(t.Context(), Config{Model: path}, im)
		if err != nil {
			t.Fatal(err)
		}
		defer n.close()
		if a := dissect(n); a.prefix != c.prefix || len(a.pooling) != c.pooled || len(a.attention) != 2 || len(a.exits) != 2 {
			t.Errorf("%+v: %d tokens before the patches, %d pools, %d blocks, %d exits", c.config, a.prefix, len(a.pooling), len(a.attention), len(a.exits))
		}
		r, err := Run(t.Context(), Config{Model: path, Image: photograph(t, dir)})
		if err != nil || r.Evidence != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "no class evidence") {
			t.Errorf("a file without classes: %v, %+v", err, r)
		}
	}
}

// TestHeadOnSeveralBlocks: where a head reads features on the way, the blocks are told all the same.
func TestHeadOnSeveralBlocks(t *testing.T) {
	f, err := pretrained.OpenFile(vittest.WriteTiny(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n := &network{g: graph.New()}
	part, err := n.raise(f, m, nil, preprocess.New(3, 32, 32), []string{"cls_1", "cls"})
	if err != nil {
		t.Fatal(err)
	}
	n.end = n.g.Concat(1, part.Outputs...)
	a := dissect(n)
	if len(a.entries) != 2 || len(a.exits) != 1 || name(a.entries[0]) != "embeddings" || name(a.exits[0]) != "blocks.0.residual" {
		t.Errorf("the blocks begin with %v and end with %v", a.entries, a.exits)
	}
	if l := a.evidenceLayer(n.end); l == nil || name(l.node) != "blocks.1.norm1" {
		t.Errorf("evidence is read at %+v", l)
	}
}

// TestRoundedHasNoEvidence: a gradient of 0 is not told as evidence of nothing.
func TestRoundedHasNoEvidence(t *testing.T) {
	n := &network{g: graph.New(), heat: 1, view: view{views: [][]float32{make([]float32, 48)}}}
	n.input = n.g.Input("x", 1, 3, 4, 4)
	maps := n.g.Relu(n.g.Conv(n.input, n.g.Parameter("w", nil, 2, 3, 1, 1), nil, graph.ConvAttrs{}))
	n.logits = n.g.Reshape(n.g.Slice(n.g.Round(n.g.Mean(maps, 2)), 2, 0, 1), 1, 2)
	n.end = n.logits
	l, err := n.run(t.Context(), "", 1)
	if err != nil || l.layer != nil || !strings.Contains(l.why, "float32") {
		t.Errorf("%v, layer %+v, why %q", err, l.layer, l.why)
	}
}

// TestTapsAddUp: of a linear head each tap's share is the sum of weights times standardised features, and the rest the
// bias.
func TestTapsAddUp(t *testing.T) {
	net := nets.Head{Features: 5, Outputs: 3, Standardize: true}
	w, rng := nets.Init(net, 3), rand.New(rand.NewPCG(5, 6))
	x := make([]float32, 5)
	for i := range x {
		x[i], w[nets.FeatureMean][i], w[nets.FeatureStd][i] = rng.Float32(), rng.Float32(), 0.5+rng.Float32()
	}
	g := graph.New()
	h := &headPart{net: net, weights: w, taps: []string{"cls", "mean"}, dims: []int{2, 3}, features: g.Input("x", 1, 5)}
	logits, want := make([]float32, 3), make([][]float32, 3)
	for k := range logits {
		want[k] = make([]float32, 3)
		want[k][2] = w["head.bias"][k]
		for i, v := range x {
			part := w["head.weight"][5*k+i] * (v - w[nets.FeatureMean][i]) / w[nets.FeatureStd][i]
			want[k][min(i/2, 1)] += part
		}
		logits[k] = want[k][0] + want[k][1] + want[k][2]
	}
	got, err := h.contributions(t.Context(), [][]float32{x}, logits)
	if err != nil || !h.linear() {
		t.Fatal(err, h.linear())
	}
	for k := range want {
		for i := range want[k] {
			if !(math.Abs(float64(got[k][i]-want[k][i])) < 1e-5) {
				t.Errorf("class %d: %v, want %v", k, got[k], want[k])
			}
		}
	}
}

// TestFolders: only what is empty or ours is written to, and what an earlier call left goes.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: 2, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := Data(t.Context(), DataConfig{Data: d, Samples: 3, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Classes) != 7 || len(r.Classes[0].Shown) != 2 || r.Classes[0].Images["train"] != 2 {
		t.Errorf("classes %+v", r.Classes)
	}
	names := func() (out []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	foreign := filepath.Join(dir, "mine.txt")
	if err := os.WriteFile(foreign, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(Folder{Path: dir, Form: FormPNG}); err == nil || !strings.Contains(err.Error(), "--force") || len(names()) != 1 {
		t.Errorf("a folder of others: %v, %q", err, names())
	}
	if err := r.Write(Folder{Path: dir, Form: FormPNG, Force: true}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(names(), " "); got != "01-samples.png 02-classes.svg mine.txt show.json" {
		t.Errorf("files %s", got)
	}
	if err := r.Write(Folder{Path: dir, Form: FormHTML}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(names(), " "); got != "mine.txt show.html show.json" {
		t.Errorf("files %s", got)
	}
	page, err := os.ReadFile(filepath.Join(dir, "show.html"))
	for _, bad := range []string{"http://", "https://", "<script", "src="} {
		if strings.Contains(strings.ReplaceAll(string(page), "http://www.w3.org/2000/svg", ""), bad) || err != nil {
			t.Errorf("the page holds %q, %v", bad, err)
		}
	}
}

// TestClassIsNamed: by its name, its number, or not at all.
func TestClassIsNamed(t *testing.T) {
	x, weights := fixture(t, "study_cnn")
	n, err := build(networks["study_cnn"], weights)
	if err != nil {
		t.Fatal(err)
	}
	n.views, n.labels = [][]float32{x}, strings.Fields("a b c d e f g")
	l, err := n.run(t.Context(), "c", 1)
	if err != nil || l.class != 2 {
		t.Errorf("class %d, %v", l.class, err)
	}
	for class, want := range map[string]int{"5": 5, "g": 6} {
		if err := l.choose(class); err != nil || l.class != want {
			t.Errorf("%s: class %d, %v", class, l.class, err)
		}
	}
	if err := l.choose("happy"); err == nil || !strings.Contains(err.Error(), "a, b, c") {
		t.Errorf("an unknown class: %v", err)
	}
}
