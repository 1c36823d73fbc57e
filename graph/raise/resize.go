package raise

import (
	"fmt"
	"math"

	"graft/graph"
)

func init() {
	register("Resize", resize)
	register("Upsample", resize)
}

// resize brings images to another size: along each axis it is linear, so that it is a product with a constant matrix.
func resize(c *call) (*graph.Node, error) {
	x, err := c.x(0)
	if err != nil {
		return nil, err
	}
	axes, err := c.resamplers(x.Shape())
	if err != nil {
		return nil, err
	}
	rank := len(x.Shape())
	for a, r := range axes {
		switch {
		case r == nil:
		case a == rank-1:
			x = c.g.MatMulT(x, c.g.Constant(r.matrix(), r.to, r.from), false, true)
		case a == rank-2:
			x = c.g.MatMul(c.g.Constant(r.matrix(), r.to, r.from), x)
		default:
			return nil, fmt.Errorf("axis %d of %v changes: want the last two, height and width", a, []int(x.Shape()))
		}
	}
	return x, nil
}

// resampler is how one axis is resized. Coordinates are float32, as ONNX Runtime computes them: its rounding is more than
// that of the pixels.
type resampler struct {
	from, to    int
	scale       float32
	mode        string // nearest or linear
	coordinates string
	nearest     string // what nearest makes of a place between two
	antialias   bool
	within      bool // antialias leaves out what lies outside
}

// resamplers are those of a node's axes, nil where nothing changes.
func (c *call) resamplers(s graph.Shape) ([]*resampler, error) {
	older := c.Op == "Upsample" || c.model.Opset < 11
	r := resampler{mode: c.Str("mode", "nearest"), coordinates: c.Str("coordinate_transformation_mode", "half_pixel"),
		nearest: c.Str("nearest_mode", "round_prefer_floor"), antialias: c.Int("antialias", 0) == 1, within: c.Int("exclude_outside", 0) == 1}
	if older {
		r.coordinates, r.nearest = "asymmetric", "floor"
	}
	switch {
	case r.mode != "nearest" && r.mode != "linear":
		return nil, fmt.Errorf("mode %s: want nearest or linear", r.mode)
	case c.Str("keep_aspect_ratio_policy", "stretch") != "stretch":
		return nil, fmt.Errorf("keep_aspect_ratio_policy %s: want stretch", c.Str("keep_aspect_ratio_policy", ""))
	}
	if _, err := r.place(0); err != nil {
		return nil, err
	}
	scales, sizes, err := c.targets(older)
	if err != nil {
		return nil, err
	}
	over := identity(len(s))
	if v := c.Ints("axes"); v != nil {
		if over, err = axesOf(toInts(v), len(s)); err != nil {
			return nil, err
		}
	}
	if len(over) != max(len(scales), len(sizes)) {
		return nil, fmt.Errorf("scales %v and sizes %v for axes %v", scales, sizes, over)
	}
	out := make([]*resampler, len(s))
	for i, a := range over {
		k := r
		k.from = s[a]
		if len(sizes) > 0 {
			k.to, k.scale = sizes[i], float32(sizes[i])/float32(s[a])
		} else {
			k.scale = float32(scales[i])
			k.to = int(k.scale * float32(s[a]))
		}
		if k.to < 1 {
			return nil, fmt.Errorf("axis %d of %v becomes %d long", a, []int(s), k.to)
		}
		if k.scale != 1 {
			out[a] = &k
		}
	}
	return out, nil
}

// targets are the scales, or else the sizes, that a node wants.
func (c *call) targets(older bool) (scales []float64, sizes []int, err error) {
	if v, ok := c.Attr("scales").([]float32); ok { // Upsample before operator set 9
		return widen(v), nil, nil
	}
	if older {
		scales, err = c.floats(1)
		return scales, nil, err
	}
	if scales, err = c.floats(2); err != nil || len(scales) > 0 {
		return scales, nil, err
	}
	sizes, err = c.whole(3)
	return nil, sizes, err
}

// place is where an element of the result lies in the operand.
func (r *resampler) place(i int) (float32, error) {
	x, from, to := float32(i), float32(r.from), float32(r.to)
	switch r.coordinates {
	case "half_pixel":
		return (x+0.5)/r.scale - 0.5, nil
	case "pytorch_half_pixel":
		if r.to <= 1 {
			return 0, nil
		}
		return (x+0.5)/r.scale - 0.5, nil
	case "half_pixel_symmetric":
		return from/2*(1-to/(r.scale*from)) + (x+0.5)/r.scale - 0.5, nil
	case "align_corners":
		if r.to <= 1 {
			return 0, nil
		}
		return x * (from - 1) / (to - 1), nil
	case "asymmetric":
		return x / r.scale, nil
	}
	return 0, fmt.Errorf("coordinate_transformation_mode %q", r.coordinates)
}

// matrix holds for each element of the result, [to], the weights of the operand's, [from].
func (r *resampler) matrix() []float64 {
	out := make([]float64, r.to*r.from)
	for i := range r.to {
		x, _ := r.place(i) // its one error was looked for
		row := out[i*r.from : (i+1)*r.from]
		switch {
		case r.mode == "nearest":
			row[min(max(r.round(x), 0), r.from-1)] = 1
		case r.antialias && r.scale < 1:
			r.widened(row, x)
		default:
			x = min(max(x, 0), float32(r.from-1))
			low := int(x)
			row[low] = float64(1 - (x - float32(low)))
			if low+1 < r.from {
				row[low+1] = float64(x - float32(low))
			}
		}
	}
	return out
}

func (r *resampler) round(x float32) int {
	switch r.nearest {
	case "floor":
		return int(math.Floor(float64(x)))
	case "ceil":
		return int(math.Ceil(float64(x)))
	case "round_prefer_ceil":
		return int(math.Floor(float64(x) + 0.5))
	}
	return int(math.Ceil(float64(x) - 0.5))
}

// widened is a triangle around x that is as wide as what one element of the result stands for, its weights adding up to
// one. What reaches over the operand's ends counts for the elements there, unless it is left out, as PIL does.
func (r *resampler) widened(row []float64, x float32) {
	support := 1 / r.scale
	center := x + 0.5
	low, high := int(math.Floor(float64(center-support+0.5))), int(math.Floor(float64(center+support+0.5)))
	if r.within {
		low, high = max(low, 0), min(high, r.from)
	}
	var sum float64
	for j := low; j < high; j++ {
		w := math.Max(0, 1-math.Abs(float64((float32(j)-center+0.5)*r.scale)))
		row[min(max(j, 0), r.from-1)] += w
		sum += w
	}
	for j := range row {
		row[j] /= sum
	}
}
