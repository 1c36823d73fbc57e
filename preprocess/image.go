// Package preprocess turns image files into pixels and pixels into the arrays
// that networks want: decoding with the camera's orientation, mirroring, the
// resizing kernels of the reference pipelines, the host path (resize, centre
// crop, gray) and Spec, which says all of it of a frozen model.
//
// Pixels are planar [C,H,W] everywhere, because that is what convolutions and
// vision transformers read. Subpackage dataset reads whole data sets.
package preprocess

import "image"

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

// ToImage returns a copy as *image.Gray (C = 1) or opaque *image.NRGBA.
func (im Image) ToImage() image.Image {
	if im.C == 1 {
		g := image.NewGray(image.Rect(0, 0, im.W, im.H))
		copy(g.Pix, im.Pix)
		return g
	}
	n := image.NewNRGBA(image.Rect(0, 0, im.W, im.H))
	im.interleave(n.Pix, 0)
	return n
}

// Interleaved are the pixels in the order [H,W,C] of most other programs.
func (im Image) Interleaved() []uint8 {
	out, plane := make([]uint8, len(im.Pix)), im.H*im.W
	for c := range im.C {
		for i, v := range im.Pix[c*plane : (c+1)*plane] {
			out[i*im.C+c] = v
		}
	}
	return out
}

// interleave fills dst with rows of opaque RGBA from row y on.
func (im Image) interleave(dst []uint8, y int) {
	plane := im.H * im.W
	n := len(dst) / 4
	r := im.Pix[y*im.W:][:n]
	g, b := r, r
	if im.C == 3 {
		g, b = im.Pix[plane+y*im.W:][:n], im.Pix[2*plane+y*im.W:][:n]
	}
	for i := range r {
		p := dst[4*i : 4*i+4 : 4*i+4]
		p[0], p[1], p[2], p[3] = r[i], g[i], b[i], 0xff
	}
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

// Gray is the luma of an RGB image, PIL's convert("L"): ITU-R BT.601's weights in
// 16-bit fixed point, rounded. A gray image is returned as it is.
func (im Image) Gray() Image {
	if im.C == 1 {
		return im
	}
	out := New(1, im.H, im.W)
	n := len(out.Pix)
	for i := range out.Pix {
		r, g, b := uint32(im.Pix[i]), uint32(im.Pix[n+i]), uint32(im.Pix[2*n+i])
		out.Pix[i] = uint8((19595*r + 38470*g + 7471*b + 1<<15) >> 16)
	}
	return out
}
