package raster

import (
	"image"
	"image/color"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// Array is numbers in rows, H×W, row-major.
type Array struct {
	H, W int
	V    []float32
}

// Range is the least and the greatest finite number of arrays, 0 and 0 where there is none.
func Range(arrays ...Array) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, a := range arrays {
		for _, v := range a.V {
			if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
				low, high = min(low, f), max(high, f)
			}
		}
	}
	if low > high {
		return 0, 0
	}
	return low, high
}

// Even widens a range to one from -b to b, that of [Diverging].
func Even(low, high float64) (float64, float64) {
	b := max(-low, high)
	return -b, b
}

// Most is the range of arrays without the least and the greatest hundredth of their numbers, or another part: one that
// stands out would leave all others in one colour.
func Most(part float64, arrays ...Array) (low, high float64) {
	var all []float32
	for _, a := range arrays {
		all = append(all, a.V...)
	}
	slices.Sort(all)
	n := int(part * float64(len(all)))
	return Range(Array{H: 1, W: len(all) - 2*n, V: all[n : len(all)-n]})
}

// Paint gives each number the colour of its place between low and high; where these are equal, that of the middle.
func (a Array) Paint(m Map, low, high float64) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, a.W, a.H))
	for i, v := range a.V {
		t := 0.5
		if high > low {
			t = (float64(v) - low) / (high - low)
		} else if math.IsNaN(float64(v)) {
			t = float64(v)
		}
		im.SetNRGBA(i%a.W, i/a.W, m.At(t))
	}
	return im
}

// Planes are the colours of three arrays of numbers in 0…1: red, green and blue.
func Planes(r, g, b Array) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, r.W, r.H))
	for i := range r.V {
		im.SetNRGBA(i%r.W, i/r.W, color.NRGBA{Gray.At(float64(r.V[i])).R, Gray.At(float64(g.V[i])).R, Gray.At(float64(b.V[i])).R, 255})
	}
	return im
}

// Enlarge brings an image to w×h: each pixel as a rectangle, or smooth, by the bilinear filter.
func Enlarge(im image.Image, w, h int, smooth bool) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	var filter draw.Scaler = draw.NearestNeighbor
	if smooth {
		filter = draw.BiLinear
	}
	filter.Scale(out, out.Bounds(), im, im.Bounds(), draw.Src, nil)
	return out
}

// Overlay lays numbers of 0…1 over the part of a photograph that they are of, in the photograph's own size: the greater
// a number, the more of its colour. Between the places of numbers it goes over smoothly; what lies outside of the part
// stays as it is, but darker.
func Overlay(photo image.Image, a Array, part Window) *image.NRGBA {
	b := photo.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), photo, b.Min, draw.Src)
	for y := range b.Dy() {
		for x := range b.Dx() {
			u, v := (float64(x)+0.5-part.X)/part.W, (float64(y)+0.5-part.Y)/part.H
			c := out.NRGBAAt(x, y)
			if u < 0 || u >= 1 || v < 0 || v >= 1 {
				out.SetNRGBA(x, y, blend(c, color.NRGBA{A: 255}, 0.6))
				continue
			}
			t := a.between(u*float64(a.W)-0.5, v*float64(a.H)-0.5)
			out.SetNRGBA(x, y, blend(c, Viridis.At(t), 0.1+0.65*t))
		}
	}
	return out
}

// between is the number at a place between those of the array, bilinear.
func (a Array) between(x, y float64) float64 {
	x, y = min(max(x, 0), float64(a.W-1)), min(max(y, 0), float64(a.H-1))
	i, j := int(x), int(y)
	right, below := min(i+1, a.W-1), min(j+1, a.H-1)
	s, t := x-float64(i), y-float64(j)
	at := func(x, y int) float64 { return float64(a.V[y*a.W+x]) }
	return (1-t)*((1-s)*at(i, j)+s*at(right, j)) + t*((1-s)*at(i, below)+s*at(right, below))
}

// Window is a part of an image, in its pixels: the upper left corner, width and height.
type Window struct{ X, Y, W, H float64 }
