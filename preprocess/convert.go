package preprocess

import (
	"image"
	"image/color"

	"github.com/disintegration/imaging"
)

// FromImage copies img. Gray images stay one plane (16-bit ones keep their
// upper byte); everything else becomes RGB. Transparency is dropped, not
// blended, as PIL's convert("RGB") does.
func FromImage(img image.Image) Image {
	switch img := img.(type) {
	case *image.Gray:
		return fromGray(img)
	case *image.YCbCr:
		if img.Rect.Min == (image.Point{}) {
			return fromYCbCr(img, 3, jpegRow)
		}
	case *image.CMYK:
		return fromCMYK(img)
	case *image.Paletted:
		return fromPaletted(img)
	case *image.NRGBA:
		return fromPixels(img.Rect, img.Pix, img.Stride, 3)
	case *image.RGBA:
		if img.Opaque() {
			return fromPixels(img.Rect, img.Pix, img.Stride, 3)
		}
	}
	c := 3
	if m := img.ColorModel(); m == color.GrayModel || m == color.Gray16Model {
		c = 1
	}
	n := imaging.Clone(img)
	return fromPixels(n.Rect, n.Pix, n.Stride, c)
}

func fromGray(g *image.Gray) Image {
	im := New(1, g.Rect.Dy(), g.Rect.Dx())
	for y := range im.H {
		copy(im.Pix[y*im.W:(y+1)*im.W], g.Pix[y*g.Stride:])
	}
	return im
}

// rows cuts the planes' row y out of an RGB image.
func (im Image) rows(y int) (r, g, b []uint8) {
	plane := im.H * im.W
	at := y * im.W
	return im.Pix[at:][:im.W], im.Pix[plane+at:][:im.W], im.Pix[2*plane+at:][:im.W]
}

// fromPixels takes the first c channels, 1 or 3, of rows of four.
func fromPixels(rect image.Rectangle, pix []uint8, stride, c int) Image {
	im := New(c, rect.Dy(), rect.Dx())
	for y := range im.H {
		src := pix[y*stride:][:4*im.W]
		if c == 1 {
			for x := range im.W {
				im.Pix[y*im.W+x] = src[4*x]
			}
			continue
		}
		r, g, b := im.rows(y)
		for x := range r {
			s := src[4*x : 4*x+4 : 4*x+4]
			r[x], g[x], b[x] = s[0], s[1], s[2]
		}
	}
	return im
}

// fromPaletted ignores the transparency of the palette's colours.
func fromPaletted(p *image.Paletted) Image {
	var table [256][3]uint8
	for i, c := range p.Palette[:min(len(p.Palette), 256)] {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [3]uint8{n.R, n.G, n.B}
	}
	im := New(3, p.Rect.Dy(), p.Rect.Dx())
	for y := range im.H {
		r, g, b := im.rows(y)
		for x, v := range p.Pix[y*p.Stride:][:im.W] {
			r[x], g[x], b[x] = table[v][0], table[v][1], table[v][2]
		}
	}
	return im
}

// fromCMYK is PIL's conversion: each ink over white, times what black leaves.
func fromCMYK(p *image.CMYK) Image {
	im := New(3, p.Rect.Dy(), p.Rect.Dx())
	left := func(ink uint8, white uint32) uint8 {
		t := uint32(ink)*white + 128
		return uint8(white - (t>>8+t)>>8)
	}
	for y := range im.H {
		r, g, b := im.rows(y)
		src := p.Pix[y*p.Stride:][:4*im.W]
		for x := range r {
			s := src[4*x : 4*x+4 : 4*x+4]
			white := uint32(255 - s[3])
			r[x], g[x], b[x] = left(s[0], white), left(s[1], white), left(s[2], white)
		}
	}
	return im
}
