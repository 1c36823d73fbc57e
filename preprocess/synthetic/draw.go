package synthetic

import "math"

// head draws neck, hair and head.
func (c *canvas) head(k look) {
	for i := range c.pix {
		x, y := c.hx[i], c.hy[i]
		if k.longHair {
			c.blend(i, k.hair, c.cover(ellipse(x, y-0.1, k.headWide+k.hairWide+0.08, k.headHigh+0.25)))
		}
		if y > 0 {
			c.blend(i, k.skin*0.8, c.cover(math.Abs(x)-0.36)*c.cover(0.5-y))
		}
		if !k.bald {
			c.blend(i, k.hair, c.cover(ellipse(x, y+0.12, k.headWide+k.hairWide, k.headHigh)))
		}
		inside := c.cover(outline(x, y, k))
		if inside == 0 {
			continue
		}
		// The head is round: it darkens to its edge.
		r := x*x/(k.headWide*k.headWide) + y*y/(k.headHigh*k.headHigh)
		c.blend(i, k.skin*(1-0.22*r*r), inside)
		if !k.bald {
			c.blend(i, k.hair, inside*c.cover(y-k.hairLine-0.5*x*x))
		}
	}
}

// outline is an ellipse that the jaw narrows below the eyes.
func outline(x, y float64, k look) float64 {
	return ellipse(x/(1-k.jaw*max(y, 0)*max(y, 0)), y, k.headWide, k.headHigh)
}

// eyes draws both: white, iris, lids.
func (c *canvas) eyes(k look, m mood) {
	for i := range c.pix {
		side := math.Copysign(1, c.fx[i])
		x, y := side*c.fx[i]-k.eyeApart, c.fy[i]-k.eyeAt // outward, downward from the eye's centre
		if math.Abs(x) > 0.3 || math.Abs(y) > 0.35 {
			continue
		}
		bulge := 1 - x*x/(k.eyeSize*k.eyeSize*1.4)
		upper := -k.eyeSize*0.62*m.eyeOpen*bulge + m.lidSlope*x/k.eyeSize
		lower := k.eyeSize * 0.5 * (0.6 + 0.4*m.eyeOpen) * bulge * (1 - m.squint)
		open := c.cover(upper-y) * c.cover(y-lower) * c.cover(math.Abs(x)-k.eyeSize*1.15)
		// The hollow of the eye, then the eyeball, then the lashes.
		c.blend(i, k.skin*0.75, 0.5*c.cover(ellipse(x, y+0.03, k.eyeSize*1.6, k.eyeSize*1.4)))
		c.blend(i, min(k.skin+0.25, 0.97), open)
		c.blend(i, k.iris, open*c.cover(math.Hypot(x, y+0.01)-k.eyeSize*0.58))
		lash := 0.022 + 0.01*m.squint
		onEye := c.cover(math.Abs(x) - k.eyeSize*1.2)
		c.blend(i, k.skin*0.25, onEye*c.cover(math.Abs(y-upper)-lash))
		c.blend(i, k.skin*0.5, 0.7*onEye*c.cover(math.Abs(y-lower)-0.014))
	}
}

// brows draws both.
func (c *canvas) brows(k look, m mood) {
	at := k.eyeAt - k.browAt
	inner, outer := k.eyeApart-0.17-m.browClose, k.eyeApart+0.2
	for i := range c.pix {
		x, y := math.Abs(c.fx[i]), c.fy[i]
		if math.Abs(y-at) > 0.4 {
			continue
		}
		s := stroke(x, y, inner, at-m.browInner, outer, at+0.03-m.browOuter, 0.03+m.browArch, 2*k.browThick)
		c.blend(i, k.brow, 0.92*c.cover(s))
		if m.browClose > 0.03 { // furrows between the brows
			c.blend(i, k.skin*0.55, 0.6*c.cover(math.Abs(x-0.05)-0.015)*c.cover(math.Abs(y-at-0.02)-0.09))
		}
	}
}

// nose draws its shadow, nostrils and, if wrinkled, folds.
func (c *canvas) nose(k look, m mood) {
	tip := k.eyeAt + k.noseLong - 0.04*m.noseWrinkle
	for i := range c.pix {
		x, y := c.fx[i], c.fy[i]
		if math.Abs(x) > 0.35 || y > tip+0.2 {
			continue
		}
		c.blend(i, k.skin*0.8, 0.6*c.cover(math.Abs(x-0.6*k.noseWide)-0.02)*c.cover(k.eyeAt-y)*c.cover(y-tip))
		nostril := ellipse(math.Abs(x)-0.6*k.noseWide, y-tip-0.03, 0.05, 0.03)
		c.blend(i, k.skin*0.3, 0.85*c.cover(nostril))
		c.blend(i, k.skin*0.7, 0.6*c.cover(stroke(x, y, -k.noseWide, tip+0.05, k.noseWide, tip+0.05, -0.03, 0.05)))
		for n := range 3 {
			at := k.eyeAt + 0.02 + 0.075*float64(n)
			fold := stroke(x, y, -0.12, at+0.03, 0.12, at+0.03, 0.04, 0.04)
			c.blend(i, k.skin*0.5, 0.75*m.noseWrinkle*c.cover(fold))
		}
	}
}

// mouth draws lips, opening, teeth and the folds beside it.
func (c *canvas) mouth(k look, m mood) {
	lip := k.skin * 0.58
	for i := range c.pix {
		x, y := c.fx[i], c.fy[i]-k.mouthAt
		if y < -0.4 || y > 0.45 {
			continue
		}
		if m.cheeks > 0.05 {
			fold := stroke(math.Abs(x), y, k.noseWide+0.04, -0.2, m.mouthWide+0.1, 0.02-0.4*m.corner, 0.03, 0.045)
			c.blend(i, k.skin*0.55, min(0.8*m.cheeks, 1)*c.cover(fold))
		}
		t := min(math.Abs(x)/m.mouthWide, 1)
		bulge := math.Sqrt(1 - t*t)
		line := -m.corner*(t*t-0.35) - m.lipRaise*(1-t)*(1-t)
		top, bottom := line-m.openTop*bulge, line+m.openBottom*bulge
		across := c.cover(math.Abs(x) - m.mouthWide)
		thick := k.lipThick * (0.5 + 0.5*bulge)
		c.blend(i, lip, across*c.cover(top-thick-y)*c.cover(y-bottom-1.3*thick))
		if m.openTop+m.openBottom < 0.03 {
			c.blend(i, k.skin*0.22, across*c.cover(math.Abs(y-line)-0.02))
			continue
		}
		open := across * c.cover(top-y) * c.cover(y-bottom)
		c.blend(i, 0.07, open)
		c.blend(i, 0.93, open*c.cover(y-top-m.teeth*(bottom-top)))
	}
}
