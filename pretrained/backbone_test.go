package pretrained

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"graft/onnx"
	"graft/onnx/meta"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/vit/vittest"
)

// randomImage has every pixel at random.
func randomImage(rng *rand.Rand, c, h, w int) preprocess.Image {
	im := preprocess.New(c, h, w)
	for i := range im.Pix {
		im.Pix[i] = uint8(rng.Uint32())
	}
	return im
}

func openTiny(t *testing.T, o Options) *Backbone {
	t.Helper()
	orttest.Require(t)
	b, err := Open(t.Context(), vittest.WriteTiny(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// outputs are buffers for n images.
func outputs(b *Backbone, n int, taps []string) [][]float32 {
	var out [][]float32
	for _, tap := range taps {
		out = append(out, make([]float32, n*b.Dim(tap)))
	}
	return out
}

func TestOwnFile(t *testing.T) {
	b := openTiny(t, Options{Runtime: session.Options{Provider: session.CPU}})
	if want := []string{"cls", "mean", "cls_1", "mean_1", "cls_2", "mean_2"}; !slices.Equal(b.Taps(), want) {
		t.Errorf("taps %v, want %v and no logits", b.Taps(), want)
	}
	if b.Dim("cls_2") != 32 || b.Dim("logits") != 0 || b.Provider() != session.CPU || b.Precision() != "float32" || b.Source() != "random:1" || len(b.Hash()) != 64 || b.RuntimeVersion() == "" {
		t.Errorf("dims %d, %d; %s, %s, %s, %s, %s", b.Dim("cls_2"), b.Dim("logits"), b.Provider(), b.Precision(), b.Source(), b.Hash(), b.RuntimeVersion())
	}
	if !strings.Contains(b.Preprocessing().String(), "bilinear to 32 in the graph") || b.Preprocessing().Size != 32 {
		t.Errorf("preprocessing %q", b.Preprocessing())
	}
}

// TestMixedShapes: a batch of several shapes gives each image what it gives alone.
func TestMixedShapes(t *testing.T) {
	b := openTiny(t, Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	var batch []preprocess.Image
	for _, s := range [][3]int{{1, 24, 24}, {3, 32, 32}, {1, 24, 24}, {3, 40, 60}, {1, 8, 8}, {3, 32, 32}} {
		batch = append(batch, b.Prepare(randomImage(rng, s[0], s[1], s[2])))
	}
	taps := []string{"mean_1", "cls"}
	got := outputs(b, len(batch), taps)
	if err := b.Run(context.Background(), batch, taps, got); err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		want := outputs(b, 1, taps)
		if err := b.Run(context.Background(), batch[i:i+1], taps, want); err != nil {
			t.Fatal(err)
		}
		for k := range taps {
			for d, v := range want[k] {
				if diff := math.Abs(float64(got[k][i*32+d] - v)); !(diff <= 1e-5) || v == 0 {
					t.Fatalf("image %d, tap %s, value %d: %v in the batch, %v alone", i, taps[k], d, got[k][i*32+d], v)
				}
			}
		}
	}
}

// TestChosenTaps: asking for fewer features at Open does not change them.
func TestChosenTaps(t *testing.T) {
	all, some := openTiny(t, Options{}), openTiny(t, Options{Taps: []string{"mean_1,cls"}})
	if want := []string{"cls", "mean_1"}; !slices.Equal(some.Taps(), want) || some.Hash() != all.Hash() {
		t.Fatalf("taps %v, want %v", some.Taps(), want)
	}
	batch := []preprocess.Image{randomImage(rand.New(rand.NewPCG(5, 6)), 1, 32, 32)}
	a, b := outputs(all, 1, some.Taps()), outputs(some, 1, some.Taps())
	if err := all.Run(context.Background(), batch, some.Taps(), a); err != nil {
		t.Fatal(err)
	}
	if err := some.Run(context.Background(), batch, some.Taps(), b); err != nil {
		t.Fatal(err)
	}
	for k := range a {
		for d := range a[k] {
			if !(math.Abs(float64(a[k][d]-b[k][d])) <= 1e-5) {
				t.Fatalf("tap %s, value %d: %v and %v", some.Taps()[k], d, a[k][d], b[k][d])
			}
		}
	}
	if err := some.Run(context.Background(), batch, []string{"cls_1"}, [][]float32{make([]float32, 32)}); err == nil {
		t.Error("a tap that was not chosen was run")
	}
}

// TestRunAtOnce: more calls than streams, with the race detector (scripts/race), and
// each its own result.
func TestRunAtOnce(t *testing.T) {
	b := openTiny(t, Options{Runtime: session.Options{Provider: session.CPU, Threads: 3, Throughput: true}})
	rng := rand.New(rand.NewPCG(3, 3))
	var wg sync.WaitGroup
	for range 4 {
		im := randomImage(rng, 1, 20, 20)
		want := outputs(b, 1, []string{"cls"})
		if err := b.Run(context.Background(), []preprocess.Image{im}, []string{"cls"}, want); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 5 {
				got := outputs(b, 1, []string{"cls"})
				if err := b.Run(context.Background(), []preprocess.Image{im}, []string{"cls"}, got); err != nil || !slices.Equal(got[0], want[0]) {
					t.Errorf("another result beside other runs (%v)", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRunRefuses(t *testing.T) {
	b := openTiny(t, Options{})
	good := preprocess.New(1, 4, 4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		batch []preprocess.Image
		taps  []string
		out   [][]float32
		want  string
	}{
		"tap":       {context.Background(), []preprocess.Image{good}, []string{"cls_9"}, [][]float32{make([]float32, 32)}, "cls_9"},
		"output":    {context.Background(), []preprocess.Image{good}, []string{"cls"}, [][]float32{make([]float32, 31)}, "31"},
		"outputs":   {context.Background(), []preprocess.Image{good}, []string{"cls"}, nil, "1 taps"},
		"channels":  {context.Background(), []preprocess.Image{good, preprocess.New(2, 4, 4)}, []string{"cls"}, [][]float32{make([]float32, 64)}, "image 1"},
		"pixels":    {context.Background(), []preprocess.Image{{C: 1, H: 4, W: 4, Pix: []uint8{1}}}, []string{"cls"}, [][]float32{make([]float32, 32)}, "image 0"},
		"cancelled": {ctx, []preprocess.Image{good}, []string{"cls"}, [][]float32{make([]float32, 32)}, "canceled"},
	} {
		if err := b.Run(c.ctx, c.batch, c.taps, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if err := b.Run(context.Background(), nil, []string{"cls"}, [][]float32{nil}); err != nil {
		t.Errorf("no images: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "x.onnx")
	if err := os.WriteFile(garbage, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	tiny := vittest.WriteTiny(t, dir)
	for name, c := range map[string]struct {
		path string
		o    Options
		want string
	}{
		"missing": {filepath.Join(dir, "none.onnx"), Options{}, "none.onnx"},
		"garbage": {garbage, Options{}, "x.onnx"},
		"tap":     {tiny, Options{Taps: []string{"cls_7"}}, "it has cls, mean"},
		"foreign": {tiny, Options{Foreign: &preprocess.Spec{}}, "describes itself"},
	} {
		if _, err := Open(t.Context(), c.path, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestPrepareOwn(t *testing.T) {
	o := &ownModel{Spec: preprocess.Spec{Size: 32, Crop: 0.875}}
	for _, c := range []struct{ c, h, w, side int }{{1, 32, 32, 32}, {3, 20, 20, 20}, {1, 33, 33, 32}, {3, 20, 21, 32}, {1, 64, 48, 32}} {
		got := o.prepare(randomImage(rand.New(rand.NewPCG(1, 1)), c.c, c.h, c.w))
		if got.C != c.c || got.H != c.side || got.W != c.side {
			t.Errorf("[%d,%d,%d] became [%d,%d,%d], want sides of %d", c.c, c.h, c.w, got.C, got.H, got.W, c.side)
		}
	}
}

func TestOwnMetadata(t *testing.T) {
	header := func(key, value string) *onnx.Model {
		m := &onnx.Model{
			Inputs:   []onnx.Value{{Name: "pixels", Type: onnx.Uint8, Dims: make([]onnx.Dim, 4)}},
			Outputs:  []onnx.Value{{Name: "cls", Type: onnx.Float32, Dims: []onnx.Dim{{Name: "N"}, {Value: 8}}}},
			Metadata: map[string]string{"graft.arch": "vit", "graft.image_size": "32", "graft.crop_pct": "0.9", "graft.mean": "0,0,0", "graft.std": "1,1,1"},
		}
		m.Metadata[key] = value
		return m
	}
	newOwn := func(header *onnx.Model) (*ownModel, error) {
		about, err := meta.Read(header.Metadata)
		if err != nil {
			return nil, err
		}
		return newOwn(&File{Header: header, Meta: about})
	}
	if _, err := newOwn(header("", "")); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{{"graft.image_size", ""}, {"graft.image_size", "-3"}, {"graft.image_size", "99999999"}, {"graft.crop_pct", "NaN"}, {"graft.crop_pct", "1.5"}, {"graft.mean", ""}, {"graft.std", "127.5,127.5,127.5"}} {
		if _, err := newOwn(header(c[0], c[1])); err == nil || !strings.Contains(err.Error(), c[0]) {
			t.Errorf("%s = %q: error %v", c[0], c[1], err)
		}
	}
	m := header("", "")
	m.Outputs[0].Dims[1] = onnx.Dim{Name: "D"}
	if _, err := newOwn(m); err == nil || !strings.Contains(err.Error(), "cls float32 [N,D]") {
		t.Errorf("an open width: %v", err)
	}
}
