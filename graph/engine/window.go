package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// grid is a plane of results computed by windows over a plane of sources, both interleaved.
type grid struct {
	h, w       int // results
	srcH, srcW int
	kernel     [2]int
	window     graph.ConvAttrs
	scattered  bool // results are the convolution's inputs: the gradient's direction
}

// segment is a run of results of one row that use the same places of the window.
type segment struct {
	at, step, n  int // results: first, distance, number, in elements of an interleaved plane
	src, srcStep int // source of the first result
	window       vec.Window
	offsets      []int64 // the window's sources alone
}

// place1 lists, for a result's index along one axis, the window's places that fall on a source, and those sources.
func (g *grid) place1(axis, i int) (k, src []int) {
	size := [2]int{g.srcH, g.srcW}[axis]
	for q := range g.kernel[axis] {
		stride, moved := g.window.Stride[axis], q*g.window.Dilation[axis]-g.window.Pad[axis]
		at := i*stride + moved
		if g.scattered {
			at = i - moved
			if at%stride != 0 {
				continue
			}
			at /= stride
		}
		if at >= 0 && at < size {
			k, src = append(k, q), append(src, at)
		}
	}
	return k, src
}

// segments covers all results. weights is the distance, in elements, between two places of the window in the weights.
func (g *grid) segments(weights int) []segment {
	// Neighbours that use the same places lie one apart, or in the gradient's direction one stride apart.
	apart, srcApart := 1, g.window.Stride[1]
	if g.scattered {
		apart, srcApart = g.window.Stride[1], 1
	}
	var out []segment
	for y := range g.h {
		ky, sy := g.place1(0, y)
		for first := range min(apart, g.w) {
			for x := first; x < g.w; {
				kx, sx := g.place1(1, x)
				n := 1
				for next := x + apart; next < g.w && g.continues(kx, sx, next, n*srcApart); next += apart {
					n++
				}
				s := segment{at: (y*g.w + x) * vec.Lanes, step: apart * vec.Lanes, n: n, srcStep: srcApart * vec.Lanes}
				s.place(g, ky, sy, kx, sx, weights)
				out = append(out, s)
				x += n * apart
			}
		}
	}
	return out
}

// continues tells whether result x uses the same places of the window, their sources moved by so much.
func (g *grid) continues(kx, sx []int, x, moved int) bool {
	k, s := g.place1(1, x)
	if len(k) != len(kx) || len(k) == 0 {
		return false
	}
	for i := range k {
		if k[i] != kx[i] || s[i] != sx[i]+moved {
			return false
		}
	}
	return true
}

// place fills in the window, relative to the smallest source.
func (s *segment) place(g *grid, ky, sy, kx, sx []int, weights int) {
	if len(sy) == 0 || len(sx) == 0 {
		return
	}
	s.src = (slices.Min(sy)*g.srcW + slices.Min(sx)) * vec.Lanes
	var taps []vec.Tap
	for i, y := range sy {
		for j, x := range sx {
			at := int64((y*g.srcW+x)*vec.Lanes - s.src)
			taps = append(taps, vec.Tap{X: at, W: int64((ky[i]*g.kernel[1] + kx[j]) * weights)})
			s.offsets = append(s.offsets, at)
		}
	}
	s.window = vec.NewWindow(taps)
}
