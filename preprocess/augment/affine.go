package augment

import "math"

// affine maps a place of the result, in pixels from its centre, to one of the source, in pixels from the centre of its
// first pixel: x = xx·u + xy·v + x0, y = yx·u + yy·v + y0.
type affine struct{ xx, xy, x0, yx, yy, y0 float64 }

// draw chooses an image's map. h, w is the source's size, oh, ow the result's. The image is flipped, scaled, rotated
// (counter-clockwise for positive angles) around its centre and shifted, in this order; the map is the inverse of that.
func (p Pipeline) draw(s *stream, h, w, oh, ow int) affine {
	fx, fy := 1.0, 1.0
	if p.HFlip > 0 && s.chance(p.HFlip) {
		fx = -1
	}
	if p.VFlip > 0 && s.chance(p.VFlip) {
		fy = -1
	}
	top, left := p.place(s, h-oh, w-ow)
	angle, size := 0.0, 1.0
	if p.Rotate > 0 {
		angle = s.around(p.Rotate) * math.Pi / 180
	}
	if p.Scale > 0 {
		size = 1 + s.around(p.Scale)
	}
	var dx, dy float64
	if p.Shift > 0 {
		dx, dy = s.around(p.Shift)*float64(w), s.around(p.Shift)*float64(h)
		if p.Rotate == 0 && p.Scale == 0 {
			dx, dy = math.Round(dx), math.Round(dy) // nothing is blurred
		}
	}
	// The crop's centre, from the source's centre, in the result's coordinates before shift and rotation.
	cx, cy := left+float64(ow-w)/2, top+float64(oh-h)/2
	return compose(angle, size, fx, fy, cx-dx, cy-dy, float64(w-1)/2, float64(h-1)/2)
}

// place draws the crop's corner.
func (p Pipeline) place(s *stream, down, across int) (top, left float64) {
	if p.Crop == 0 {
		return 0, 0
	}
	return float64(s.rand.IntN(down + 1)), float64(s.rand.IntN(across + 1))
}

// compose is the map (u,v) → centre + flip·rotation⁻¹·((u,v) + offset)/size. As y points down, an image turned
// counter-clockwise has coordinates turned by (cos, sin; -sin, cos); the map has the inverse.
func compose(angle, size, fx, fy, offsetX, offsetY, centreX, centreY float64) affine {
	sin, cos := math.Sincos(angle)
	a := affine{xx: fx * cos / size, xy: -fx * sin / size, yx: fy * sin / size, yy: fy * cos / size}
	a.x0 = centreX + a.xx*offsetX + a.xy*offsetY
	a.y0 = centreY + a.yx*offsetX + a.yy*offsetY
	return a
}

// straight tells whether rows stay rows, so that sampling is copying.
func (a affine) straight() bool {
	return a.xy == 0 && a.yx == 0 && math.Abs(a.xx) == 1 && math.Abs(a.yy) == 1
}

// warp samples one plane src [h,w] into dst [oh,ow].
func (a affine) warp(dst, src []float32, h, w, oh, ow int, zero bool) {
	for i := range oh {
		v := float64(i) - float64(oh-1)/2
		u := -float64(ow-1) / 2
		x, y := a.xx*u+a.xy*v+a.x0, a.yx*u+a.yy*v+a.y0
		line := dst[i*ow : (i+1)*ow]
		switch {
		case a.straight() && x == math.Trunc(x) && y == math.Trunc(y):
			copyLine(line, src, h, w, int(x), int(y), int(a.xx), zero)
		case zero:
			sampleZero(line, src, h, w, float32(x), float32(y), float32(a.xx), float32(a.yx))
		default:
			sampleEdge(line, src, h, w, float32(x), float32(y), float32(a.xx), float32(a.yx))
		}
	}
}

// copyLine takes whole pixels of row y from x on, to the right or (step -1) to the left.
func copyLine(line, src []float32, h, w, x, y, step int, zero bool) {
	if zero && (y < 0 || y >= h) {
		clear(line)
		return
	}
	row := src[min(max(y, 0), h-1)*w:][:w]
	for j := range line {
		k := x + j*step
		if zero && (k < 0 || k >= w) {
			line[j] = 0
		} else {
			line[j] = row[min(max(k, 0), w-1)]
		}
	}
}

// sampleEdge samples bilinearly along a line of the source; outside, the nearest pixel counts.
func sampleEdge(line, src []float32, h, w int, x0, y0, dx, dy float32) {
	right, bottom := float32(w-1), float32(h-1)
	for j := range line {
		x, y := x0+float32(j)*dx, y0+float32(j)*dy
		x, y = clamp(x, right), clamp(y, bottom)
		ix, iy := int(x), int(y)
		fx, fy := x-float32(ix), y-float32(iy)
		at := iy*w + ix
		next, below := 1, w
		if ix == w-1 {
			next = 0
		}
		if iy == h-1 {
			below = 0
		}
		a, b, c, d := src[at], src[at+next], src[at+below], src[at+below+next]
		up, low := a+fx*(b-a), c+fx*(d-c)
		line[j] = up + fy*(low-up)
	}
}

func clamp(v, high float32) float32 {
	if v < 0 {
		return 0
	}
	if v > high {
		return high
	}
	return v
}

// sampleZero samples bilinearly along a line of the source; outside it is 0.
func sampleZero(line, src []float32, h, w int, x0, y0, dx, dy float32) {
	at := func(x, y int) float32 {
		if x < 0 || y < 0 || x >= w || y >= h {
			return 0
		}
		return src[y*w+x]
	}
	for j := range line {
		x, y := x0+float32(j)*dx, y0+float32(j)*dy
		ix, iy := int(math.Floor(float64(x))), int(math.Floor(float64(y)))
		fx, fy := x-float32(ix), y-float32(iy)
		up := at(ix, iy) + fx*(at(ix+1, iy)-at(ix, iy))
		low := at(ix, iy+1) + fx*(at(ix+1, iy+1)-at(ix, iy+1))
		line[j] = up + fy*(low-up)
	}
}
