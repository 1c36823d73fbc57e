package preprocess_test

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"testing"

	"github.com/disintegration/imaging"

	"graft/preprocess"
)

// The host path agrees with torchvision's transforms on PIL images to one
// step of 255.
func TestSquareAgainstPIL(t *testing.T) {
	for _, c := range []struct {
		name          string
		c, h, w, size int
		cropPct       float64
	}{
		{"wide", 3, 61, 90, 32, 32.0 / 36},
		{"tall", 3, 75, 40, 32, 1},
		{"gray", 1, 48, 48, 32, 32.0 / 36},
		{"enlarged", 1, 48, 48, 84, 0.875},
	} {
		im := preprocess.Image{C: c.c, H: c.h, W: c.w, Pix: readBytes(t, "host_"+c.name+".u8", c.c*c.h*c.w)}
		got := preprocess.Square(im, c.size, c.cropPct)
		if got.C != c.c || got.H != c.size || got.W != c.size {
			t.Fatalf("%s: shape [%d,%d,%d], want [%d,%d,%d]", c.name, got.C, got.H, got.W, c.c, c.size, c.size)
		}
		want := readBytes(t, fmt.Sprintf("host_%s_%d.u8", c.name, c.size), c.c*c.size*c.size)
		if d := maxDiff(got.Pix, want); !(d <= 1) {
			t.Errorf("%s: differs from PIL by %g of 255, want at most 1", c.name, d)
		}
	}
}

// timm cuts the shorter side to whole pixels: 224/0.9 is 248, not 249. A
// picture of that height is only cropped, and keeps its pixels.
func TestSquareFloorsTheShorterSide(t *testing.T) {
	im := random(1, 1, 248, 248)
	got := preprocess.Square(im, 224, 0.9)
	for _, at := range [][2]int{{0, 0}, {10, 200}, {223, 223}} {
		y, x := at[0], at[1]
		if g, w := got.Pix[y*224+x], im.Pix[(y+12)*248+x+12]; g != w {
			t.Fatalf("pixel (%d,%d) is %d, want %d", y, x, g, w)
		}
	}
}

func TestSquareOfNarrowImages(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {1, 400}, {400, 1}, {2, 3}, {1, 1 << 24}} {
		got := preprocess.Square(random(2, 3, shape[0], shape[1]), 32, 0)
		if got.C != 3 || got.H != 32 || got.W != 32 || len(got.Pix) != 3*32*32 {
			t.Errorf("%v: got [%d,%d,%d] with %d bytes", shape, got.C, got.H, got.W, len(got.Pix))
		}
	}
	// What is kept of a long image is its centre.
	long := preprocess.New(3, 2, 101)
	for i := range long.Pix {
		long.Pix[i] = uint8(i % 101)
	}
	if got := preprocess.Square(long, 2, 1); got.Pix[0] != 49 && got.Pix[0] != 50 {
		t.Errorf("centre of 0 to 100 is %d", got.Pix[0])
	}
}

// Leaving out what the crop does not keep changes no bit of imaging's result,
// also where the picture is worked on in several bands.
func TestSquareIsImagingsResizeAndCrop(t *testing.T) {
	for _, c := range []struct {
		c, h, w, size int
		crop          float64
	}{{3, 375, 500, 224, 0.9}, {3, 500, 375, 224, 0.875}, {1, 90, 61, 48, 0.7}, {3, 1200, 700, 100, 0.9}, {3, 40, 60, 64, 0.8}, {1, 7, 3, 5, 0.5}, {3, 248, 300, 224, 0.9}} {
		im := random(uint64(c.h), c.c, c.h, c.w)
		short := int(math.Floor(float64(c.size) / c.crop))
		w, h := short, short
		if c.w > c.h {
			w = int(float64(short) * float64(c.w) / float64(c.h))
		} else {
			h = int(float64(short) * float64(c.h) / float64(c.w))
		}
		left, top := int(math.RoundToEven(float64(w-c.size)/2)), int(math.RoundToEven(float64(h-c.size)/2))
		whole := imaging.Resize(im.ToImage(), w, h, imaging.Linear)
		want := preprocess.FromImage(imaging.Crop(whole, image.Rect(left, top, left+c.size, top+c.size)))
		got := preprocess.Square(im, c.size, c.crop)
		if n := len(got.Pix); !bytes.Equal(got.Pix, want.Pix[:n]) {
			t.Errorf("%+v: pixels differ", c)
		}
	}
}

// TestShrink: the longer side gets the wanted length, the shorter one its share and at least a pixel; what is small stays.
func TestShrink(t *testing.T) {
	for _, tc := range [][4]int{{100, 50, 40, 20}, {1, 1000, 1, 40}, {50, 101, 20, 40}, {30, 40, 30, 40}} {
		im := preprocess.New(3, tc[0], tc[1])
		for i := range im.Pix {
			im.Pix[i] = uint8(50 + 100*(i/(tc[0]*tc[1])))
		}
		s := preprocess.Shrink(im, 40)
		if s.C != 3 || s.H != tc[2] || s.W != tc[3] || s.Pix[0] != 50 || s.Pix[len(s.Pix)-1] != 250 {
			t.Errorf("%v: [%d,%d,%d] from %d to %d", tc, s.C, s.H, s.W, s.Pix[0], s.Pix[len(s.Pix)-1])
		}
	}
}
