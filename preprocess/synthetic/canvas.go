package synthetic

import (
	"math"

	"graft/preprocess"
)

// pose places the face in the picture.
type pose struct {
	x, y   float64 // centre, in pixels
	size   float64 // pixels of one unit of the face
	angle  float64 // radians, clockwise
	turn   float64 // head turned to a side: −0.3 to 0.3
	nod    float64 // features shifted up or down
	mirror bool
}

func poseOf(d dice) pose {
	const half = side / 2
	return pose{
		x: half - 0.5 + d.normal(1.8), y: half + 0.5 + d.normal(1.8), size: d.uniform(18, 24.5),
		angle: d.normal(0.16), turn: d.normal(0.13), nod: d.normal(0.035), mirror: d.chance(0.5),
	}
}

// canvas holds brightness, 0 to 1 before the light, and for each pixel its
// place on the head (hx, hy) and among the features (fx, fy), which a turn of
// the head moves against its outline.
type canvas struct {
	pose
	pix            [side * side]float64
	hx, hy, fx, fy [side * side]float64
}

func newCanvas(p pose) *canvas {
	c := &canvas{pose: p}
	sin, cos := math.Sincos(p.angle)
	for i := range c.pix {
		dx, dy := float64(i%side)-p.x, float64(i/side)-p.y
		u, v := (dx*cos+dy*sin)/p.size, (dy*cos-dx*sin)/p.size
		if p.mirror {
			u = -u
		}
		c.hx[i], c.hy[i] = u, v
		// A turned head: features move to the side, and the far half narrows.
		c.fx[i] = (u - 0.55*p.turn) * (1 + 0.5*p.turn*u)
		c.fy[i] = v - p.nod
	}
	return c
}

// cover is how much of a pixel lies inside a shape whose edge is distance away
// (negative inside), distance being in units of the face.
func (c *canvas) cover(distance float64) float64 {
	return min(max(0.5-distance*c.size, 0), 1)
}

// blend mixes tone into pixel i.
func (c *canvas) blend(i int, tone, share float64) {
	c.pix[i] += (tone - c.pix[i]) * share
}

// ellipse is roughly the signed distance of (x,y) to an ellipse at the origin.
func ellipse(x, y, rx, ry float64) float64 {
	k := math.Sqrt(x*x/(rx*rx) + y*y/(ry*ry))
	return (k - 1) * min(rx, ry)
}

// stroke is the distance of (x,y) to the parabola through (x0,y0) and (x1,y1)
// whose middle lies arch above (in −y) their line, less half the thickness.
// It is measured vertically and so a little too thick where it is steep.
func stroke(x, y, x0, y0, x1, y1, arch, thick float64) float64 {
	t := min(max((x-x0)/(x1-x0), 0), 1)
	cy := y0 + (y1-y0)*t - 4*arch*t*(1-t)
	cx := x0 + (x1-x0)*t
	return math.Hypot(x-cx, y-cy) - thick/2*(1.1-0.5*math.Abs(2*t-1))
}

// background is a plain or a slope with blotches.
func (c *canvas) background(d dice) {
	base, gx, gy := d.uniform(0.05, 0.95), d.normal(0.15), d.normal(0.15)
	type blotch struct{ x, y, r, tone float64 }
	blotches := make([]blotch, int(d.uniform(0, 5)))
	for i := range blotches {
		blotches[i] = blotch{d.uniform(0, side), d.uniform(0, side), d.uniform(4, 14), d.uniform(0, 1)}
	}
	for i := range c.pix {
		x, y := float64(i%side), float64(i/side)
		c.pix[i] = base + gx*(x/side-0.5) + gy*(y/side-0.5)
		for _, b := range blotches {
			c.blend(i, b.tone, 0.6*min(max(b.r-math.Hypot(x-b.x, y-b.y), 0)/3, 1))
		}
	}
}

// expose blurs, adds the sensor's noise, stretches the contrast and rounds.
func (c *canvas) expose(d dice) preprocess.Image {
	im := preprocess.New(1, side, side)
	soft := d.uniform(0, 0.5)
	gain, lift, grain := d.uniform(0.6, 1.1), d.normal(0.06), d.uniform(0.008, 0.04)
	for i := range c.pix {
		v := c.pix[i] + (c.around(i)-c.pix[i])*soft
		v = (v-0.5)*gain + 0.5 + lift + d.normal(grain)
		im.Pix[i] = uint8(min(max(v*255+0.5, 0), 255))
	}
	return im
}

// around is the mean of a pixel and its neighbours.
func (c *canvas) around(i int) float64 {
	x, y := i%side, i/side
	var sum, n float64
	for yy := max(y-1, 0); yy <= min(y+1, side-1); yy++ {
		for xx := max(x-1, 0); xx <= min(x+1, side-1); xx++ {
			sum += c.pix[yy*side+xx]
			n++
		}
	}
	return sum / n
}
