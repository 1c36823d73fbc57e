package preprocess

import (
	"math"
	"testing"
)

// TestPartIsWhatCutKeeps: of a picture whose values grow evenly, the cut has at its places what the picture has where
// Part says that these come from.
func TestPartIsWhatCutKeeps(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		h, w int
	}{
		{Spec{Size: 24, Crop: 1, Host: true}, 120, 60}, {Spec{Size: 24, Crop: 0.875, Host: true}, 90, 180}, {Spec{Size: 32, Width: 16, Crop: 1}, 100, 100},
		{Spec{Size: 24, Crop: 1}, 60, 60}, {Spec{Size: 24, Crop: 1}, 12, 12}, {Spec{Size: 24, Crop: 1, Host: true}, 20, 240},
	} {
		across, down := New(1, c.h, c.w), New(1, c.h, c.w)
		for i := range across.Pix {
			across.Pix[i], down.Pix[i] = uint8(i%c.w), uint8(i/c.w)
		}
		x, y, width, height := c.spec.Part(c.h, c.w)
		a, d := c.spec.Cut(across), c.spec.Cut(down)
		i := a.H/2*a.W + a.W/2
		wantX, wantY := x+(float64(a.W/2)+0.5)*width/float64(a.W)-0.5, y+(float64(a.H/2)+0.5)*height/float64(a.H)-0.5
		if !(math.Abs(float64(a.Pix[i])-wantX) < 1) || !(math.Abs(float64(d.Pix[i])-wantY) < 1) {
			t.Errorf("%+v of %d×%d: its middle comes from %d,%d, Part says %.1f,%.1f", c.spec, c.w, c.h, a.Pix[i], d.Pix[i], wantX, wantY)
		}
	}
}
