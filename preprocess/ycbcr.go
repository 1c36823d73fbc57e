package preprocess

import "image"

// A yccRow converts a row of pixels, all slices being of its length.
type yccRow func(r, g, b, y, cb, cr []uint8)

// fromYCbCr converts an image whose rectangle starts at the origin. Chroma that
// is stored at half the size is interpolated as libjpeg and libwebp do ("fancy
// upsampling"), and not only repeated as image/color does; libjpeg does so from
// three columns of it on, libwebp always.
func fromYCbCr(p *image.YCbCr, columns int, convert yccRow) Image {
	im := New(3, p.Rect.Dy(), p.Rect.Dx())
	cb, cr := newChroma(p, p.Cb, columns), newChroma(p, p.Cr, columns)
	for y := range im.H {
		r, g, b := im.rows(y)
		convert(r, g, b, p.Y[y*p.YStride:][:im.W], cb.row(y)[:im.W], cr.row(y)[:im.W])
	}
	return im
}

// chroma is a plane that is smaller than the picture by 1<<across and 1<<down.
type chroma struct {
	plane        []uint8
	stride       int
	across, down int
	w, h         int // of the plane
	line         []uint8
	smooth       bool // interpolated across
}

func newChroma(p *image.YCbCr, plane []uint8, columns int) *chroma {
	c := &chroma{plane: plane, stride: p.CStride}
	switch p.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.across = 1
	case image.YCbCrSubsampleRatio420:
		c.across, c.down = 1, 1
	case image.YCbCrSubsampleRatio440:
		c.down = 1
	case image.YCbCrSubsampleRatio411:
		c.across = 2
	case image.YCbCrSubsampleRatio410:
		c.across, c.down = 2, 1
	}
	c.w = (p.Rect.Dx() + 1<<c.across - 1) >> c.across
	c.h = (p.Rect.Dy() + 1<<c.down - 1) >> c.down
	c.line = make([]uint8, c.w<<c.across)
	c.smooth = c.across == 1 && c.w >= columns
	return c
}

// row is the plane at the picture's row y and at its width, until the next call.
func (c *chroma) row(y int) []uint8 {
	at := func(y int) []uint8 { return c.plane[min(max(y, 0), c.h-1)*c.stride:][:c.w] }
	near := at(y >> c.down)
	if c.across == 0 && c.down == 0 {
		return near
	}
	far := near
	if c.down == 1 {
		far = at(y>>1 - 1 + 2*(y&1)) // the row on the other side
	}
	switch {
	case c.across == 0:
		for x, v := range near {
			c.line[x] = uint8((3*int(v) + int(far[x]) + 1 + y&1) >> 2)
		}
	case c.smooth && c.down == 0:
		widenRow(c.line, near)
	case c.smooth:
		widen(c.line, near, far)
	default: // libjpeg repeats here too
		for x := range c.line {
			c.line[x] = near[x>>c.across]
		}
	}
	return c.line
}

// widenRow is widen of a plane that is as high as the picture (h2v1_fancy_upsample).
func widenRow(dst, src []uint8) {
	dst = dst[:2*len(src)]
	for i, v := range src {
		last, next := src[max(i-1, 0)], src[min(i+1, len(src)-1)]
		dst[2*i], dst[2*i+1] = uint8((3*int(v)+int(last)+1)>>2), uint8((3*int(v)+int(next)+2)>>2)
	}
}

// widen doubles the width: three quarters of the nearer sample and one of the
// other, both ways (libjpeg's h2v2_fancy_upsample, with its rounding).
func widen(dst, near, far []uint8) {
	dst, far = dst[:2*len(near)], far[:len(near)]
	this := 3*int(near[0]) + int(far[0])
	last := this
	for i := range near {
		next := this
		if i+1 < len(near) {
			next = 3*int(near[i+1]) + int(far[i+1])
		}
		dst[2*i], dst[2*i+1] = uint8((3*this+last+8)>>4), uint8((3*this+next+7)>>4)
		last, this = this, next
	}
}

// jpegRow is JFIF's conversion in libjpeg's arithmetic (jdcolor.c): what is added to y is rounded first. image/color cuts
// the sum.
func jpegRow(r, g, b, y, cb, cr []uint8) {
	r, g, b, cb, cr = r[:len(y)], g[:len(y)], b[:len(y)], cb[:len(y)], cr[:len(y)]
	for x := range y {
		yy := int32(y[x])<<16 + 1<<15
		u, v := int32(cb[x])-128, int32(cr[x])-128
		r[x] = clip16(yy + 91881*v)
		g[x] = clip16(yy - 22554*u - 46802*v)
		b[x] = clip16(yy + 116130*u)
	}
}

// clip16 is v/65536 cut to a byte.
func clip16(v int32) uint8 {
	if uint32(v)&0xff000000 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31))
}

// videoRow is BT.601's conversion in libwebp's arithmetic (dsp/yuv.h).
func videoRow(r, g, b, y, cb, cr []uint8) {
	clip := func(v int) uint8 { return uint8(min(max(v>>6, 0), 255)) }
	for x := range y {
		yy := int(y[x]) * 19077 >> 8
		u, v := int(cb[x]), int(cr[x])
		r[x] = clip(yy + v*26149>>8 - 14234)
		g[x] = clip(yy - u*6419>>8 - v*13320>>8 + 8708)
		b[x] = clip(yy + u*33050>>8 - 17685)
	}
}
