package synthetic

import "math"

// head draws neck, hair and head.
func (c *canvas) head(p person) {
	for i := range c.pix {
		x, y := c.hx[i], c.hy[i]
		if p.longHair {
			c.blend(i, p.hair, c.cover(ellipse(x, y-0.1, p.headWide+p.hairWide+0.08, p.headHigh+0.25)))
		}
		if y > 0 {
			c.blend(i, p.skin*0.8, c.cover(math.Abs(x)-0.36)*c.cover(0.5-y))
		}
		if !p.bald {
			c.blend(i, p.hair, c.cover(ellipse(x, y+0.12, p.headWide+p.hairWide, p.headHigh)))
		}
		inside := c.cover(outline(x, y, p))
		if inside == 0 {
			continue
		}
		// The head is round: it darkens to its edge.
		r := x*x/(p.headWide*p.headWide) + y*y/(p.headHigh*p.headHigh)
		c.blend(i, p.skin*(1-0.22*r*r), inside)
		if !p.bald {
			c.blend(i, p.hair, inside*c.cover(y-p.hairLine-0.5*x*x))
		}
	}
}

// outline is an ellipse that the jaw narrows below the eyes.
func outline(x, y float64, p person) float64 {
	return ellipse(x/(1-p.jaw*max(y, 0)*max(y, 0)), y, p.headWide, p.headHigh)
}

// eyes draws both: white, iris, lids.
func (c *canvas) eyes(p person, e expression) {
	for i := range c.pix {
		toSide := math.Copysign(1, c.fx[i])
		x, y := toSide*c.fx[i]-p.eyeApart, c.fy[i]-p.eyeAt // outward, downward from the eye's centre
		if math.Abs(x) > 0.3 || math.Abs(y) > 0.35 {
			continue
		}
		bulge := 1 - x*x/(p.eyeSize*p.eyeSize*1.4)
		upper := -p.eyeSize*0.62*e.eyeOpen*bulge + e.lidSlope*x/p.eyeSize
		lower := p.eyeSize * 0.5 * (0.6 + 0.4*e.eyeOpen) * bulge * (1 - e.squint)
		open := c.cover(upper-y) * c.cover(y-lower) * c.cover(math.Abs(x)-p.eyeSize*1.15)
		// The hollow of the eye, then the eyeball, then the lashes.
		c.blend(i, p.skin*0.75, 0.5*c.cover(ellipse(x, y+0.03, p.eyeSize*1.6, p.eyeSize*1.4)))
		c.blend(i, min(p.skin+0.25, 0.97), open)
		c.blend(i, p.iris, open*c.cover(math.Hypot(x, y+0.01)-p.eyeSize*0.58))
		lash := 0.022 + 0.01*e.squint
		onEye := c.cover(math.Abs(x) - p.eyeSize*1.2)
		c.blend(i, p.skin*0.25, onEye*c.cover(math.Abs(y-upper)-lash))
		c.blend(i, p.skin*0.5, 0.7*onEye*c.cover(math.Abs(y-lower)-0.014))
	}
}

// brows draws both.
func (c *canvas) brows(p person, e expression) {
	at := p.eyeAt - p.browAt
	inner, outer := p.eyeApart-0.17-e.browClose, p.eyeApart+0.2
	for i := range c.pix {
		x, y := math.Abs(c.fx[i]), c.fy[i]
		if math.Abs(y-at) > 0.4 {
			continue
		}
		s := stroke(x, y, inner, at-e.browInner, outer, at+0.03-e.browOuter, 0.03+e.browArch, 2*p.browThick)
		c.blend(i, p.brow, 0.92*c.cover(s))
		if e.browClose > 0.03 { // furrows between the brows
			c.blend(i, p.skin*0.55, 0.6*c.cover(math.Abs(x-0.05)-0.015)*c.cover(math.Abs(y-at-0.02)-0.09))
		}
	}
}

// nose draws its shadow, nostrils and, if wrinkled, folds.
func (c *canvas) nose(p person, e expression) {
	tip := p.eyeAt + p.noseLong - 0.04*e.noseWrinkle
	for i := range c.pix {
		x, y := c.fx[i], c.fy[i]
		if math.Abs(x) > 0.35 || y > tip+0.2 {
			continue
		}
		c.blend(i, p.skin*0.8, 0.6*c.cover(math.Abs(x-0.6*p.noseWide)-0.02)*c.cover(p.eyeAt-y)*c.cover(y-tip))
		nostril := ellipse(math.Abs(x)-0.6*p.noseWide, y-tip-0.03, 0.05, 0.03)
		c.blend(i, p.skin*0.3, 0.85*c.cover(nostril))
		c.blend(i, p.skin*0.7, 0.6*c.cover(stroke(x, y, -p.noseWide, tip+0.05, p.noseWide, tip+0.05, -0.03, 0.05)))
		for n := range 3 {
			at := p.eyeAt + 0.02 + 0.075*float64(n)
			fold := stroke(x, y, -0.12, at+0.03, 0.12, at+0.03, 0.04, 0.04)
			c.blend(i, p.skin*0.5, 0.75*e.noseWrinkle*c.cover(fold))
		}
	}
}

// mouth draws lips, opening, teeth and the folds beside it.
func (c *canvas) mouth(p person, e expression) {
	lip := p.skin * 0.58
	for i := range c.pix {
		x, y := c.fx[i], c.fy[i]-p.mouthAt
		if y < -0.4 || y > 0.45 {
			continue
		}
		if e.cheeks > 0.05 {
			fold := stroke(math.Abs(x), y, p.noseWide+0.04, -0.2, e.mouthWide+0.1, 0.02-0.4*e.corner, 0.03, 0.045)
			c.blend(i, p.skin*0.55, min(0.8*e.cheeks, 1)*c.cover(fold))
		}
		t := min(math.Abs(x)/e.mouthWide, 1)
		bulge := math.Sqrt(1 - t*t)
		line := -e.corner*(t*t-0.35) - e.lipRaise*(1-t)*(1-t)
		top, bottom := line-e.openTop*bulge, line+e.openBottom*bulge
		across := c.cover(math.Abs(x) - e.mouthWide)
		thick := p.lipThick * (0.5 + 0.5*bulge)
		c.blend(i, lip, across*c.cover(top-thick-y)*c.cover(y-bottom-1.3*thick))
		if e.openTop+e.openBottom < 0.03 {
			c.blend(i, p.skin*0.22, across*c.cover(math.Abs(y-line)-0.02))
			continue
		}
		open := across * c.cover(top-y) * c.cover(y-bottom)
		c.blend(i, 0.07, open)
		c.blend(i, 0.93, open*c.cover(y-top-e.teeth*(bottom-top)))
	}
}
