package preprocess

import (
	"cmp"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/disintegration/imaging"
)

// MinCropPct is the least part of the shorter side that a centre crop may keep: no checkpoint comes near it, and a file
// that asked for less would have pictures blown up without bounds.
const MinCropPct = 0.1

// Square resizes im so that its shorter side is floor(size/cropPct) and cuts
// the size×size centre, in 8 bits with PIL's antialiased bilinear kernel: what
// torchvision's Resize and CenterCrop and timm's evaluation transform do with
// a PIL image. The longer side is cut to whole pixels and the centre rounded
// half to even, as they do. C is kept. cropPct outside (0,1] counts as 1. An
// image more than MaxAspect times as long as wide is cut to that first.
func Square(im Image, size int, cropPct float64) Image { return cut(im, size, size, cropPct) }

// cut is Square for a centre of height×width: the image is resized until it covers
// floor(height/cropPct) by floor(width/cropPct).
func cut(im Image, height, width int, cropPct float64) Image {
	if !(cropPct > 0 && cropPct <= 1) {
		cropPct = 1
	}
	im = im.limitAspect()
	if im.W == width && im.H == height && cropPct == 1 {
		return im
	}
	w, h, left, top := placed(im.H, im.W, height, width, cropPct)
	return im.resizeCut(w, h, image.Rect(left, top, left+width, top+height))
}

// placed is the size to which a picture of imH×imW is resized so that it covers what the centre is cut out of, and where in
// that the centre lies.
func placed(imH, imW, height, width int, cropPct float64) (w, h, left, top int) {
	h, w = int(math.Floor(float64(height)/cropPct)), int(math.Floor(float64(width)/cropPct))
	if imW*h > imH*w {
		w = max(w, int(float64(h)*float64(imW)/float64(imH)))
	} else {
		h = max(h, int(float64(w)*float64(imH)/float64(imW)))
	}
	return w, h, int(math.RoundToEven(float64(w-width) / 2)), int(math.RoundToEven(float64(h-height) / 2))
}

// Part is the part of a picture of h×w pixels that Cut keeps, in these pixels: its left and upper edge, its width and
// height.
func (s Spec) Part(h, w int) (x, y, width, height float64) {
	sh, sw := s.Size, cmp.Or(s.Width, s.Size)
	if !s.Host && h*sw == w*sh && h <= sh {
		return 0, 0, float64(w), float64(h)
	}
	kept := Image{H: h, W: w}.aspect()
	rw, rh, left, top := placed(kept.Dy(), kept.Dx(), sh, sw, s.Crop)
	across, down := float64(kept.Dx())/float64(rw), float64(kept.Dy())/float64(rh)
	return float64(kept.Min.X) + float64(left)*across, float64(kept.Min.Y) + float64(top)*down, float64(sw) * across, float64(sh) * down
}

// Shrink resizes im, in 8 bits with the antialiased bilinear kernel of Square, so that its longer side is side pixels; smaller
// ones stay as they are.
func Shrink(im Image, side int) Image {
	long := max(im.W, im.H)
	if long <= side {
		return im
	}
	short := func(n int) int { return max(1, (n*side+long/2)/long) }
	w, h := short(im.W), short(im.H)
	return im.resizeCut(w, h, image.Rect(0, 0, w, h))
}

// bands holds the pixels of a band between calls.
var bands = sync.Pool{New: func() any { return new([]uint8) }}

// bandBytes is the size of a band, which stays in a core's cache.
const bandBytes = 1 << 20

// resizeCut is the part cut of im resized to w×h. It makes the same calls of
// imaging as resizing whole would, rows first, but leaves out rows and columns
// that do not count, and holds no second copy of a large picture.
func (im Image) resizeCut(w, h int, cut image.Rectangle) Image {
	scale := float64(im.H) / float64(h)
	reach := math.Ceil(max(scale, 1)) + 1 // of the filter, to either side
	first := max(int(float64(cut.Min.Y)*scale-reach), 0)
	last := min(int(float64(cut.Max.Y)*scale+reach)+1, im.H)

	narrow := image.NewNRGBA(image.Rect(0, 0, cut.Dx(), im.H))
	buf := bands.Get().(*[]uint8)
	defer bands.Put(buf)
	step := max(bandBytes/(4*im.W), 1)
	for y := first; y < last; y += step {
		n := min(step, last-y)
		*buf = slices.Grow((*buf)[:0], 4*n*im.W)[:4*n*im.W]
		band := &image.NRGBA{Pix: *buf, Stride: 4 * im.W, Rect: image.Rect(0, 0, im.W, n)}
		im.interleave(band.Pix, y)
		wide := imaging.Resize(band, w, n, imaging.Linear)
		for r := range n {
			copy(narrow.Pix[(y+r)*narrow.Stride:][:narrow.Stride], wide.Pix[r*wide.Stride+4*cut.Min.X:])
		}
	}
	tall := imaging.Resize(narrow, cut.Dx(), h, imaging.Linear)
	return fromPixels(image.Rect(0, 0, cut.Dx(), cut.Dy()), tall.Pix[cut.Min.Y*tall.Stride:], tall.Stride, im.C)
}

// MaxAspect bounds the resized picture: only its centre is kept, and a line of
// a million pixels would otherwise grow to 224 lines of that many times more.
const MaxAspect = 8

// limitAspect keeps the centre of very long images.
func (im Image) limitAspect() Image {
	kept := im.aspect()
	h, w, top, left := kept.Dy(), kept.Dx(), kept.Min.Y, kept.Min.X
	if h == im.H && w == im.W {
		return im
	}
	out := New(im.C, h, w)
	for r := range out.C * h {
		src := ((r/h)*im.H + top + r%h) * im.W
		copy(out.Pix[r*w:(r+1)*w], im.Pix[src+left:])
	}
	return out
}

// aspect is the part that limitAspect keeps.
func (im Image) aspect() image.Rectangle {
	h, w := min(im.H, MaxAspect*im.W), min(im.W, MaxAspect*im.H)
	top, left := (im.H-h)/2, (im.W-w)/2
	return image.Rect(left, top, left+w, top+h)
}
