package synthetic

import (
	"fmt"
	"math"

	"graft/preprocess"
)

// persons is how many people are among the things.
const persons = 60

// ThingClasses are the names of what Thing draws, by label: signs by the mark above their
// middle and the one below it, then people.
func ThingClasses() []string {
	names := make([]string, 0, len(marks)*len(marks)+persons)
	for _, above := range marks {
		for _, below := range marks {
			names = append(names, above.name+"-"+below.name)
		}
	}
	for i := range persons {
		names = append(names, fmt.Sprintf("person-%02d", i+1))
	}
	return names
}

// Thing draws what a network can learn from before it sees expressions, [1,48,48]: signs, whose
// label is which of ten marks stands above their middle and which below it, and people, whose
// label is who it is (see ThingClasses). The plates of signs, sizes, tones, pose, light, noise
// and marks elsewhere say nothing about the label, nor does the expression of a person, which is
// any. The same seed, stream and label give the same thing, as for Face. A label out of range
// draws its remainder.
func Thing(seed, stream uint64, label int) preprocess.Image {
	d := newDice(seed, stream)
	n := len(marks)
	label %= n*n + persons
	if label >= n*n {
		expression := expressionOf(d, int(d.uniform(0, float64(len(expressions)))))
		return portrait(d, expression, personOf(newDice(personSeed, uint64(label-n*n))))
	}
	p := poseOf(d)
	p.mirror, p.angle = false, 0.7*p.angle // a mark has a direction
	c := newCanvas(p)
	c.background(d)
	tone := c.plate(d)
	pairs := d.chance(0.5)
	c.mark(d, tone, marks[label/n], place{y: d.uniform(-0.55, -0.22), pair: pairs})
	c.mark(d, tone, marks[label%n], place{y: d.uniform(0.22, 0.55), pair: pairs})
	c.clutter(d, tone)
	c.light(d)
	return c.expose(d)
}

// personSeed draws the people, whatever the seed of their pictures.
const personSeed = 1

// mark is one kind of drawing: the distance of a point to it, for the half width w and half
// height h.
type mark struct {
	name string
	at   func(x, y, w, h float64) float64
}

// marks are told apart by direction, curvature and filling, not by size.
var marks = [...]mark{
	{"level", func(x, y, w, _ float64) float64 { return segment(x, y, -w, 0, w, 0) }},
	{"upright", func(x, y, w, _ float64) float64 { return segment(x, y, 0, -0.6*w, 0, 0.6*w) }},
	{"rising", func(x, y, w, h float64) float64 { return segment(x, y, -w, h, w, -h) }},
	{"falling", func(x, y, w, h float64) float64 { return segment(x, y, -w, -h, w, h) }},
	{"cup", func(x, y, w, h float64) float64 { return stroke(x, y, -w, -h/2, w, -h/2, -1.5*h, 0) }},
	{"cap", func(x, y, w, h float64) float64 { return stroke(x, y, -w, h/2, w, h/2, 1.5*h, 0) }},
	{"wedge", func(x, y, w, h float64) float64 { return segment(math.Abs(x), y, 0, -h, w, h) }},
	{"ring", func(x, y, w, h float64) float64 { return math.Abs(ellipse(x, y, 0.85*w, 1.2*h)) }},
	{"round", func(x, y, w, h float64) float64 { return ellipse(x, y, 0.55*w, 1.4*h) }},
	{"bowl", func(x, y, w, h float64) float64 { return max(ellipse(x, y+0.5*h, w, 1.6*h), -0.5*h-y) }},
}

// segment is the distance of (x,y) to a straight line between two points.
func segment(x, y, x0, y0, x1, y1 float64) float64 {
	dx, dy := x1-x0, y1-y0
	t := min(max(((x-x0)*dx+(y-y0)*dy)/(dx*dx+dy*dy), 0), 1)
	return math.Hypot(x-x0-t*dx, y-y0-t*dy)
}

// place is where a mark stands: its height, y downward, and whether there are two, side by side.
type place struct {
	y, apart float64
	pair     bool
}

// mark draws a mark of random size and tone in a place.
func (c *canvas) mark(d dice, under float64, m mark, at place) {
	x0, w, h := d.normal(0.1), d.uniform(0.17, 0.42), d.uniform(0.07, 0.17)
	if at.pair {
		x0, w = at.apart+d.uniform(0.24, 0.38), d.uniform(0.12, 0.22)
	}
	thick, tone := d.uniform(0.03, 0.09), contrast(d, under)
	rim := d.chance(0.3) // a lighter or darker line around
	rimTone := contrast(d, under)
	for i := range c.pix {
		x, y := c.fx[i], c.fy[i]-at.y
		if at.pair {
			x = math.Abs(x)
		}
		if x -= x0; math.Abs(x) > 0.5 || math.Abs(y) > 0.35 {
			continue
		}
		distance := m.at(x, y, w, h) - thick/2
		if rim {
			c.blend(i, rimTone, 0.5*c.cover(distance-0.035))
		}
		c.blend(i, tone, 0.92*c.cover(distance))
	}
}

// contrast is a tone that shows on another, darker more often than lighter.
func contrast(d dice, under float64) float64 {
	away := d.uniform(0.35, 0.75)
	if under-away < 0.02 || under+away < 0.98 && d.chance(0.25) {
		return min(under+away, 0.98)
	}
	return max(under-away, 0.02)
}

// plate draws what the marks stand on, a disc, a box, a head without a face or nothing, and returns its tone.
func (c *canvas) plate(d dice) float64 {
	kind, wide, high, corner := d.uniform(0, 1), d.uniform(0.66, 0.95), d.uniform(0.8, 1.05), d.uniform(0.05, 0.4)
	tone, edge, rim := d.uniform(0.05, 0.9), d.uniform(0.05, 0.9), d.uniform(0, 0.15)
	p := personOf(d)
	switch {
	case kind < 0.15:
		return c.pix[len(c.pix)/2+side/2]
	case kind < 0.5:
		c.head(p)
		return p.skin
	}
	for i := range c.pix {
		x, y := c.hx[i], c.hy[i]
		distance := ellipse(x, y, wide, high)
		if kind > 0.75 { // with round corners
			distance = math.Hypot(max(math.Abs(x)-wide+corner, 0), max(math.Abs(y)-high+corner, 0)) - corner
		}
		c.blend(i, edge, c.cover(distance-rim))
		c.blend(i, tone*(1-0.2*(x*x+y*y)), c.cover(distance))
	}
	return tone
}

// clutter are marks that say nothing, in the middle and at the sides.
func (c *canvas) clutter(d dice, tone float64) {
	for _, at := range []place{{y: d.normal(0.05)}, {y: d.uniform(-0.5, 0.5), apart: 0.5, pair: true}} {
		if d.chance(0.3) {
			c.mark(d, tone, marks[int(d.uniform(0, float64(len(marks))))], at)
		}
	}
}
