package preprocess_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"graft/preprocess"
)

// The resize of the networks' inputs agrees with torchvision.
func TestResizeAgainstTorch(t *testing.T) {
	const tol = 1e-5
	for _, c := range []struct {
		name            string
		c, h, w, oh, ow int
	}{
		{"square", 1, 48, 48, 32, 32},
		{"up", 1, 48, 48, 224, 224},
		{"odd", 3, 37, 53, 20, 61},
		{"tiny", 1, 5, 3, 1, 7},
	} {
		src := make([]float32, c.c*c.h*c.w)
		for i, v := range readBytes(t, "resize_"+c.name+".u8", len(src)) {
			src[i] = float32(v) / 255
		}
		want := readFloats(t, "resize_"+c.name+"_antialias.f32", c.c*c.oh*c.ow)
		got := make([]float32, len(want))
		preprocess.ResizeAntialias(got, src, c.c, c.h, c.w, c.oh, c.ow)
		if d := maxDiff(got, want); !(d <= tol) {
			t.Errorf("%s: differs from PyTorch by %g, want at most %g", c.name, d, tol)
		}
	}
}

// The separable code equals the definition, evaluated point by point in
// float64.
func TestResizeAgainstDefinition(t *testing.T) {
	triangle := func(d float64) float64 { return max(1-math.Abs(d), 0) }
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		h, w, oh, ow := 1+r.IntN(20), 1+r.IntN(20), 1+r.IntN(20), 1+r.IntN(20)
		src := make([]float32, h*w)
		for i := range src {
			src[i] = r.Float32()
		}
		got := make([]float32, oh*ow)
		preprocess.ResizeAntialias(got, src, 1, h, w, oh, ow)
		sy, sx := float64(h)/float64(oh), float64(w)/float64(ow)
		for i := range got {
			cy, cx := (float64(i/ow)+0.5)*sy, (float64(i%ow)+0.5)*sx
			var sum, weight float64
			for y := range h {
				for x := range w {
					k := triangle((float64(y)+0.5-cy)/max(sy, 1)) * triangle((float64(x)+0.5-cx)/max(sx, 1))
					sum, weight = sum+k*float64(src[y*w+x]), weight+k
				}
			}
			if d := math.Abs(float64(got[i]) - sum/weight); !(d <= 1e-5) {
				t.Fatalf("%d×%d to %d×%d, element %d: %g, want %g", h, w, oh, ow, i, got[i], sum/weight)
			}
		}
	}
}

func TestResizeToSameSizeIsIdentity(t *testing.T) {
	im := random(5, 3, 9, 7)
	src := make([]float32, len(im.Pix))
	for i, v := range im.Pix {
		src[i] = float32(v)
	}
	got := make([]float32, len(src))
	preprocess.ResizeAntialias(got, src, 3, 9, 7, 9, 7)
	if d := maxDiff(got, src); !(d <= 1e-4) {
		t.Errorf("antialias changed values by %g", d)
	}
}
