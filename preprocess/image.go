// Package preprocess turns image files into pixels and pixels into the arrays
// that networks want: decoding with the camera's orientation, mirroring, the
// two resizing kernels of the reference pipelines, and the host path
// (resize, centre crop, normalise) for models that do not preprocess by
// themselves.
//
// Pixels are planar [C,H,W] everywhere, because that is what convolutions and
// vision transformers read. Subpackage dataset reads whole data sets.
package preprocess

import (
	"image"
	"image/color"

	"github.com/disintegration/imaging"
)

// Image is 8-bit pixels in planar order: plane c, row y, column x lies at
// Pix[(c*H+y)*W+x]. C is 1 (gray) or 3 (red, green, blue; sRGB as stored).
type Image struct {
	C, H, W int
	Pix     []uint8
}

// New returns a black image of shape [c,h,w].
func New(c, h, w int) Image {
	return Image{C: c, H: h, W: w, Pix: make([]uint8, c*h*w)}
}

// FromImage copies img. Gray images stay one plane (16-bit ones keep their
// upper byte); everything else becomes RGB. Transparency is dropped, not
// blended, as PIL's convert("RGB") does.
func FromImage(img image.Image) Image {
	if g, ok := img.(*image.Gray); ok {
		return fromGray(g)
	}
	nrgba := imaging.Clone(img)
	if isGray(img.ColorModel()) {
		return fromNRGBA(nrgba, 1)
	}
	return fromNRGBA(nrgba, 3)
}

func isGray(m color.Model) bool { return m == color.GrayModel || m == color.Gray16Model }

func fromGray(g *image.Gray) Image {
	im := New(1, g.Rect.Dy(), g.Rect.Dx())
	for y := range im.H {
		copy(im.Pix[y*im.W:(y+1)*im.W], g.Pix[y*g.Stride:])
	}
	return im
}

// fromNRGBA takes the first c channels of an interleaved image whose rectangle
// starts at the origin and whose rows are contiguous, as imaging's are.
func fromNRGBA(n *image.NRGBA, c int) Image {
	im := New(c, n.Rect.Dy(), n.Rect.Dx())
	plane := im.H * im.W
	for k := range c {
		dst := im.Pix[k*plane : (k+1)*plane]
		for i := range dst {
			dst[i] = n.Pix[4*i+k]
		}
	}
	return im
}

// ToImage returns a copy as *image.Gray (C = 1) or opaque *image.NRGBA.
func (im Image) ToImage() image.Image {
	if im.C == 1 {
		g := image.NewGray(image.Rect(0, 0, im.W, im.H))
		copy(g.Pix, im.Pix)
		return g
	}
	return im.nrgba()
}

func (im Image) nrgba() *image.NRGBA {
	n := image.NewNRGBA(image.Rect(0, 0, im.W, im.H))
	plane := im.H * im.W
	for i := range plane {
		p := n.Pix[4*i : 4*i+4 : 4*i+4]
		p[0], p[3] = im.Pix[i], 0xff
		if im.C == 1 {
			p[1], p[2] = p[0], p[0]
		} else {
			p[1], p[2] = im.Pix[plane+i], im.Pix[2*plane+i]
		}
	}
	return n
}

// Mirror returns a copy of im turned left to right.
func (im Image) Mirror() Image {
	out := New(im.C, im.H, im.W)
	for r := range im.C * im.H {
		src, dst := im.Pix[r*im.W:(r+1)*im.W], out.Pix[r*im.W:(r+1)*im.W]
		for x, v := range src {
			dst[im.W-1-x] = v
		}
	}
	return out
}
