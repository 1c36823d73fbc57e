package synthetic

import (
	"math"

	"graft/preprocess"
)

// Photo draws a picture, [3,h,w], that compresses and resizes like a photograph,
// for measurements: light and colour vary at all scales with the power that
// natural images have there (falling as the square of the frequency), some
// shapes with sharp edges lie in front, and fine grain over all. It shows
// nothing. The same seed and stream give the same picture, as for Face.
func Photo(seed, stream uint64, h, w int) preprocess.Image {
	d := newDice(seed, stream)
	light := make([]float64, h*w)
	for scale := float64(max(h, w)); scale >= 2; scale /= 2 {
		addWaves(d, light, h, w, scale, 0.34*math.Sqrt(scale/float64(max(h, w)))+0.02)
	}
	tint := [2][]float64{make([]float64, h*w), make([]float64, h*w)}
	for _, t := range tint {
		for scale := float64(max(h, w)); scale >= 16; scale /= 2 {
			addWaves(d, t, h, w, scale, 0.16*math.Sqrt(scale/float64(max(h, w))))
		}
	}
	for range 12 {
		addDisc(d, h, w, light, tint[0], tint[1])
	}
	im := preprocess.New(3, h, w)
	for i, v := range light {
		v += d.normal(0.012)
		for c, shift := range [3]float64{tint[0][i], -0.5 * (tint[0][i] + tint[1][i]), tint[1][i]} {
			im.Pix[c*h*w+i] = uint8(255 * min(max(0.5+v+shift, 0), 1))
		}
	}
	return im
}

// addWaves adds random values on a grid of that scale in pixels, smoothly joined.
func addWaves(d dice, dst []float64, h, w int, scale, strength float64) {
	gw, gh := int(float64(w)/scale)+3, int(float64(h)/scale)+3
	grid := make([]float64, gw*gh)
	for i := range grid {
		grid[i] = d.uniform(-strength, strength)
	}
	ox, oy := d.uniform(0, 1), d.uniform(0, 1) // so that no lines of all scales meet
	smooth := func(t float64) float64 { return t * t * (3 - 2*t) }
	for y := range h {
		fy := float64(y)/scale + oy
		gy := int(fy)
		ty := smooth(fy - float64(gy))
		top, low := grid[gy*gw:], grid[(gy+1)*gw:]
		for x := range w {
			fx := float64(x)/scale + ox
			gx := int(fx)
			tx := smooth(fx - float64(gx))
			a, b := top[gx]+tx*(top[gx+1]-top[gx]), low[gx]+tx*(low[gx+1]-low[gx])
			dst[y*w+x] += a + ty*(b-a)
		}
	}
}

// addDisc lays an ellipse of another light and tint over the picture.
func addDisc(d dice, h, w int, planes ...[]float64) {
	size := float64(max(h, w))
	cx, cy := d.uniform(0, float64(w)), d.uniform(0, float64(h))
	rx, ry := d.uniform(0.03, 0.2)*size, d.uniform(0.03, 0.2)*size
	shift := []float64{d.uniform(-0.35, 0.35), d.uniform(-0.15, 0.15), d.uniform(-0.15, 0.15)}
	for y := max(int(cy-ry), 0); y < min(int(cy+ry)+1, h); y++ {
		for x := max(int(cx-rx), 0); x < min(int(cx+rx)+1, w); x++ {
			u, v := (float64(x)-cx)/rx, (float64(y)-cy)/ry
			if u*u+v*v < 1 {
				for p, plane := range planes {
					plane[y*w+x] += shift[p]
				}
			}
		}
	}
}
