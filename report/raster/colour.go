package raster

import (
	"image/color"
	"math"
)

// Map gives a colour to the numbers of 0…1; what lies beyond counts as the nearer end.
type Map []color.NRGBA

// The colour maps. Viridis is matplotlib's (van der Walt and Smith 2015; CC0), which grows lighter evenly, in print and
// to the colour-blind too. Diverging is for numbers on both sides of zero, which is near white.
var (
	Gray    = Map{{0, 0, 0, 255}, {255, 255, 255, 255}}
	Viridis = Map{{68, 1, 84, 255}, {72, 26, 108, 255}, {71, 47, 125, 255}, {65, 68, 135, 255}, {57, 86, 140, 255}, {49, 104, 142, 255},
		{42, 120, 142, 255}, {35, 136, 142, 255}, {31, 152, 139, 255}, {34, 168, 132, 255}, {53, 183, 121, 255}, {84, 197, 104, 255},
		{122, 209, 81, 255}, {165, 219, 54, 255}, {210, 226, 27, 255}, {253, 231, 37, 255}}
	Diverging = Map{{24, 66, 140, 255}, {90, 150, 205, 255}, {247, 247, 247, 255}, {226, 140, 90, 255}, {160, 40, 30, 255}}
)

// missing is the colour of what is no number.
var missing = color.NRGBA{255, 0, 255, 255}

// At is the colour of t, between the map's own in a straight line.
func (m Map) At(t float64) color.NRGBA {
	if math.IsNaN(t) {
		return missing
	}
	at := min(max(t, 0), 1) * float64(len(m)-1)
	i := min(int(at), len(m)-2)
	return blend(m[i], m[i+1], at-float64(i))
}

// blend is a colour between two, at 0…1.
func blend(a, b color.NRGBA, t float64) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + t*(float64(b)-float64(a)))) }
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// light tells colours on which letters are dark, by the luma of ITU-R BT.601.
func light(c color.NRGBA) bool { return 299*int(c.R)+587*int(c.G)+114*int(c.B) > 140_000 }
