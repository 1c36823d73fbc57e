package synthetic

import "math"

// extras are glasses, beard and moustache.
func (c *canvas) extras(d dice, p person) {
	frame := d.uniform(0.02, 0.2)
	for i := range c.pix {
		x, y := math.Abs(c.fx[i]), c.fy[i]
		if p.beard && y > 0.2 {
			chin := c.cover(outline(c.hx[i], c.hy[i], p)) * c.cover(0.3+p.mouthAt*0.3+0.35*(p.headWide-x)-y)
			c.blend(i, p.hair*0.9, 0.6*chin*c.cover(0.17-math.Hypot(c.fx[i], 1.3*(y-p.mouthAt))))
		}
		if p.mustache {
			c.blend(i, p.hair*0.9, 0.8*c.cover(ellipse(c.fx[i], y-p.mouthAt+0.13, 0.2, 0.045)))
		}
		if p.glasses {
			rim := math.Abs(ellipse(x-p.eyeApart, y-p.eyeAt, 0.24, 0.2)) - 0.018
			bridge := max(math.Abs(y-p.eyeAt+0.05)-0.018, x-p.eyeApart+0.22)
			c.blend(i, frame, 0.9*c.cover(min(rim, bridge)))
		}
	}
}

// light multiplies a slope from a random side, and sometimes a hard shadow.
func (c *canvas) light(d dice) {
	sin, cos := math.Sincos(d.uniform(0, 2*math.Pi))
	slope := d.uniform(0, 0.45)
	hard := 0.0
	if d.chance(0.2) {
		hard = d.uniform(0.15, 0.45)
	}
	edge := d.normal(6)
	for i := range c.pix {
		along := (float64(i%side)-side/2)*cos + (float64(i/side)-side/2)*sin
		shade := min(max((along-edge)/3, 0), 1)
		c.pix[i] *= (1 + slope*along/(side/2)) * (1 - hard*shade)
	}
}

// occlude lays a hand, a scarf, a strand or the picture's border over one face
// in four: a bar of random place, kept off the middle so that something of the
// expression is left.
func (c *canvas) occlude(d dice) {
	if !d.chance(0.25) {
		return
	}
	sin, cos := math.Sincos(d.uniform(0, 2*math.Pi))
	away, half := d.uniform(11, 22), d.uniform(2, 5)
	tone, grain := d.uniform(0.05, 0.9), d.uniform(0, 0.08)
	for i := range c.pix {
		along := (float64(i%side)-side/2)*cos + (float64(i/side)-side/2)*sin
		c.blend(i, tone+d.normal(grain), min(max(half-math.Abs(along-away)+0.5, 0), 1))
	}
}
