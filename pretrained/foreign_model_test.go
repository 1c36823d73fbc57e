package pretrained

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
)

func dims(d ...int64) []onnx.Dim {
	out := make([]onnx.Dim, len(d))
	for i, v := range d {
		out[i] = onnx.Dim{Value: v}
		if v < 1 {
			out[i] = onnx.Dim{Name: fmt.Sprintf("d%d", i)}
		}
	}
	return out
}

// scale is a session that stands for a network whose output is made of the mean
// of each image's pixels: value j of an image is that mean plus j.
type scale struct {
	session.Session
	batches []int64
}

func (s *scale) Provider() session.Provider { return session.CPU }
func (s *scale) Streams() int               { return 1 }
func (s *scale) Close() error               { return nil }

func (s *scale) Run(_ context.Context, in, out []session.Tensor) error {
	n := int(in[0].Shape[0])
	s.batches = append(s.batches, in[0].Shape[0])
	x, y := in[0].Data.([]float32), out[0].Data.([]float32)
	for i := range n {
		mean := float64(0)
		for _, v := range x[i*len(x)/n : (i+1)*len(x)/n] {
			mean += float64(v)
		}
		mean /= float64(len(x) / n)
		for j := range len(y) / n {
			y[i*len(y)/n+j] = float32(mean + float64(j))
		}
	}
	return nil
}

var half = preprocess.Spec{Normalization: preprocess.Half}

func headerOf(in, out []onnx.Dim) *onnx.Model {
	return &onnx.Model{
		Inputs:  []onnx.Value{{Name: "x", Type: onnx.Float32, Dims: in}},
		Outputs: []onnx.Value{{Name: "y", Type: onnx.Float32, Dims: out}, {Name: "ids", Type: onnx.Int64, Dims: dims(1)}},
	}
}

func noProbe(*foreignModel) ([]int64, error) { return nil, fmt.Errorf("not probed here") }

func TestForeignPooling(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []onnx.Dim
		out  []onnx.Dim
		pool string
		want []float32 // less the image's mean
		n    []int64
	}{
		{"rows", dims(0, 3, 4, 4), dims(0, 2), "", []float32{0, 1}, []int64{3}},
		{"first token", dims(0, 3, 4, 4), dims(0, 5, 2), "cls", []float32{0, 1}, []int64{3}},
		{"mean of tokens", dims(0, 3, 4, 4), dims(0, 5, 2), "mean", []float32{4, 5}, []int64{3}},
		{"mean of places", dims(0, 3, 4, 4), dims(0, 2, 3, 3), "mean", []float32{4, 13}, []int64{3}},
		{"batch of two", dims(2, 3, 4, 4), dims(2, 2), "", []float32{0, 1}, []int64{2, 2}},
		{"gray", dims(0, 1, 4, 4), dims(0, 2), "", []float32{0, 1}, []int64{3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := half
			f.Pool = c.pool
			a, err := newForeign(headerOf(c.in, c.out), &f, noProbe)
			if err != nil {
				t.Fatal(err)
			}
			var batch []preprocess.Image
			for _, v := range []uint8{0, 51, 255} { // normalised: −1, −0.6, 1
				im := preprocess.New(1, 4, 4)
				for i := range im.Pix {
					im.Pix[i] = v
				}
				batch = append(batch, a.prepare(im))
			}
			s, out := &scale{}, [][]float32{make([]float32, 3*a.dim)}
			if err := a.run(context.Background(), s, &scratch{}, batch, a.taps(), out); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(s.batches) != fmt.Sprint(c.n) || a.dim != len(c.want) {
				t.Errorf("batches of %v and %d values, want %v and %d", s.batches, a.dim, c.n, len(c.want))
			}
			for i, mean := range []float64{-1, -0.6, 1} {
				for d, w := range c.want {
					if got := out[0][i*a.dim+d]; !(math.Abs(float64(got)-mean-float64(w)) <= 1e-5) {
						t.Errorf("image %d, value %d: %v, want %v", i, d, got, mean+float64(w))
					}
				}
			}
		})
	}
}

func TestForeignRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*onnx.Model, *preprocess.Spec)
		want   string
	}{
		"two inputs":   {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs = append(m.Inputs, m.Inputs[0]) }, "2 inputs"},
		"uint8":        {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Type = onnx.Uint8 }, "wanted float32 [N,C,H,W]"},
		"rank":         {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(0, 3) }, "wanted float32 [N,C,H,W]"},
		"NHWC":         {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(0, 224, 224, 3) }, "Transpose"},
		"open NHWC":    {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(0, 0, 0, 3) }, "Transpose"},
		"size":         {func(_ *onnx.Model, f *preprocess.Spec) { f.Size = 8 }, "does not take 8×8"},
		"open size":    {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(0, 3, 0, 0) }, "(--input-size)"},
		"oblong":       {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(0, 3, 4, 8) }, "does not take 4×4"},
		"no output":    {func(_ *onnx.Model, f *preprocess.Spec) { f.Output = "z" }, `no output is called "z" (--output); there are y float32`},
		"int output":   {func(_ *onnx.Model, f *preprocess.Spec) { f.Output = "ids" }, "wanted float32"},
		"tokens":       {func(m *onnx.Model, _ *preprocess.Spec) { m.Outputs[0].Dims = dims(0, 5, 2) }, "wanted [N,D] without"},
		"maps":         {func(m *onnx.Model, f *preprocess.Spec) { m.Outputs[0].Dims, f.Pool = dims(0, 5, 2, 2), "cls" }, "[N,D,H,W] with mean"},
		"pooled rows":  {func(_ *onnx.Model, f *preprocess.Spec) { f.Pool = "mean" }, "wanted [N,D] without"},
		"open width":   {func(m *onnx.Model, _ *preprocess.Spec) { m.Outputs[0].Dims = dims(0, 0) }, "not probed here"},
		"no std":       {func(_ *onnx.Model, f *preprocess.Spec) { f.Std[2] = 0 }, "std above 0"},
		"infinite std": {func(_ *onnx.Model, f *preprocess.Spec) { f.Std[0] = float32(math.Inf(1)) }, "finite"},
		"no mean":      {func(_ *onnx.Model, f *preprocess.Spec) { f.Mean[1] = float32(math.NaN()) }, "finite"},
		"mean is NaN":  {func(_ *onnx.Model, f *preprocess.Spec) { f.Mean[0] = float32(math.NaN()) }, "mean"},
		"bytes":        {func(_ *onnx.Model, f *preprocess.Spec) { f.Mean = [3]float32{127.5, 127.5, 127.5} }, "probably mean 0.5,0.5,0.5, std 0.5,0.5,0.5"},
		"crop":         {func(_ *onnx.Model, f *preprocess.Spec) { f.Crop = 1.5 }, "crop"},
		"huge output":  {func(m *onnx.Model, f *preprocess.Spec) { m.Outputs[0].Dims, f.Pool = dims(0, 1<<20, 1<<20), "mean" }, "values per image"},
		"huge batch":   {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(1<<62, 3, 4, 4) }, "images at once; wanted 5592405 at most"},
		"batch beyond": {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(100_000, 3, 224, 224) }, "images at once; wanted 1783 at most"},
		"huge side":    {func(m *onnx.Model, _ *preprocess.Spec) { m.Inputs[0].Dims = dims(1, 3, 1<<40, 1<<40) }, "does not take"},
		"batch of outputs": {func(m *onnx.Model, _ *preprocess.Spec) {
			m.Inputs[0].Dims, m.Outputs[0].Dims = dims(1000, 3, 4, 4), dims(1000, 1<<20)
		}, "of a batch that is fixed"},
		"overflowing output": {func(m *onnx.Model, f *preprocess.Spec) { m.Outputs[0].Dims, f.Pool = dims(0, 5, 1<<32, 1<<32), "mean" }, "values per image"},
		"no rank":            {func(m *onnx.Model, _ *preprocess.Spec) { m.Outputs[0].Dims = nil }, "infer_shapes"},
		"numbers alone":      {func(m *onnx.Model, _ *preprocess.Spec) { m.Outputs[0].Type = onnx.Int64 }, "no output holds features"},
		"not prepared":       {nil, "was not prepared"},
	} {
		m, f := headerOf(dims(0, 3, 4, 4), dims(0, 2)), half
		if c.change != nil {
			c.change(m, &f)
		}
		a, err := newForeign(m, &f, noProbe)
		if c.change == nil {
			err = a.run(context.Background(), &scale{}, &scratch{}, []preprocess.Image{preprocess.New(1, 5, 5)}, a.taps(), [][]float32{make([]float32, 2)})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := newForeign(headerOf(dims(0, 3, 4, 4), dims(0, 2)), nil, noProbe); err == nil {
		t.Error("a model that nobody described was accepted")
	}
}

func TestForeignNormalize(t *testing.T) {
	a := &foreignModel{Spec: preprocess.Spec{Normalization: preprocess.ImageNet, Channels: 3}}
	a.fillTable()
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []int{1, 3} {
		im := preprocess.New(c, 4, 4)
		for i := range im.Pix {
			im.Pix[i] = uint8(r.Uint32())
		}
		got := make([]float32, 3*4*4)
		a.pixels(got, im)
		for i := range got {
			k := i / 16
			want := (float64(im.Pix[i%16+16*(k%c)])/255 - float64(a.Mean[k])) / float64(a.Std[k])
			if d := math.Abs(float64(got[i]) - want); !(d <= 1e-5) {
				t.Fatalf("C=%d: element %d is %g, want %g", c, i, got[i], want)
			}
		}
	}
}

// writeForeign writes x [N,3,8,8] → y: patches of 4 projected to 5 features,
// [N,T,5], as exporters leave it: only the rank is told.
func writeForeign(t *testing.T, batch int64) (path string, weights []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(9, 9))
	weights = make([]float32, 5*3*4*4)
	for i := range weights {
		weights[i] = float32(rng.NormFloat64())
	}
	m := &onnx.Model{Name: "foreign", Opset: 17, Producer: "other"}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, dims(batch, 3, 8, 8)...)
	conv := b.Op("Conv", "conv", []string{x, b.Float32s("w", weights, 5, 3, 4, 4)},
		onnx.Attr{Name: "kernel_shape", Value: []int64{4, 4}}, onnx.Attr{Name: "strides", Value: []int64{4, 4}})
	flat := b.Op("Reshape", "flat", []string{conv, b.Int64s("shape", 0, 5, -1)})
	b.Output("y", b.Op("Transpose", "tokens", []string{flat}, onnx.Attr{Name: "perm", Value: []int64{0, 2, 1}}), onnx.Float32, dims(0, 0, 0)...)
	path = filepath.Join(t.TempDir(), "foreign.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path, weights
}

// TestForeignProbeStops: Ctrl-C ends the run that finds out how large an output is.
func TestForeignProbeStops(t *testing.T) {
	orttest.Require(t)
	path, _ := writeForeign(t, 0)
	f := half
	f.Pool = PoolMean
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, path, Options{Foreign: &f, Runtime: session.Options{Provider: session.CPU}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// TestForeignFile runs a real foreign model of any and of a fixed batch size, and
// compares with the sum written out.
func TestForeignFile(t *testing.T) {
	orttest.Require(t)
	for _, batch := range []int64{0, 3} { // 3 is not the CPU's own
		path, w := writeForeign(t, batch)
		f := half
		f.Pool = PoolMean
		b, err := Open(t.Context(), path, Options{Foreign: &f, Runtime: session.Options{Provider: session.CPU}})
		if err != nil {
			t.Fatal(err)
		}
		if b.Dim(FeaturesTap) != 5 || len(b.Taps()) != 1 {
			t.Errorf("taps %v of %d, want one of 5", b.Taps(), b.Dim(FeaturesTap))
		}
		if want := cmp.Or(int(batch), DefaultBatch(session.CPU)); b.DefaultBatch() != want {
			t.Errorf("default batch %d with one of %d in the file, want %d", b.DefaultBatch(), batch, want)
		}
		rng := rand.New(rand.NewPCG(1, 8))
		images := []preprocess.Image{randomImage(rng, 3, 8, 8), randomImage(rng, 1, 8, 8), randomImage(rng, 3, 8, 8), randomImage(rng, 3, 8, 8)}
		out := [][]float32{make([]float32, 20)}
		if err := b.Run(context.Background(), images, b.Taps(), out); err != nil {
			t.Fatal(err)
		}
		for i, im := range images {
			for d, want := range meanPatch(im, w) {
				if got := float64(out[0][5*i+d]); !(math.Abs(got-want) <= 1e-4) {
					t.Errorf("batch %d, image %d, value %d: %v, want %v", batch, i, d, got, want)
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// meanPatch is the mean over the four patches of their products with w [5,3,4,4].
func meanPatch(im preprocess.Image, w []float32) []float64 {
	out := make([]float64, 5)
	for d := range out {
		for c := range 3 {
			for y := range 8 {
				for x := range 8 {
					v := float64(im.Pix[(min(c, im.C-1)*8+y)*8+x])/127.5 - 1
					out[d] += v * float64(w[((d*3+c)*4+y%4)*4+x%4]) / 4
				}
			}
		}
	}
	return out
}
