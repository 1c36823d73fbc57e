package vit

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// resampling is a convention of bicubic interpolation. Four are in use, and
// they differ by a few percent at the border; each family keeps its own, so
// that a resized model equals what its own library makes.
// Hugging Face's is its current one, F.interpolate to a size; versions before
// 4.45 added 0.1 to the grid's size first, a workaround for a rounding error, which
// stays the one of DINO's and DINOv2's own code.
type resampling struct {
	a            float64 // of the cubic kernel (Keys 1981): -0.75 in PyTorch, -0.5 with antialias
	alignCorners bool    // corners keep their place; otherwise the outer edges do
	antialias    bool    // the kernel widens when shrinking, and is renormalised at the border
	offset       float64 // added to the new size when the scale is computed (DINO, DINOv2)
}

// positionsBy are the conventions by whose they are.
var positionsBy = map[string]resampling{
	"huggingface": huggingFace.resample, "dino": dinoResample, "timm": timm.resample, "torchvision": torchvision.resample,
}

// Positions lists the conventions of interpolating positions, for people to choose from:
// Hugging Face's, that of DINO's and DINOv2's own code, timm's (and open_clip's, and of
// DINOv2 with registers), torchvision's.
func Positions() []string { return slices.Sorted(maps.Keys(positionsBy)) }

// cubic is the Keys kernel at distance x.
func (r resampling) cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((r.a+2)*x-(r.a+3))*x*x + 1
	case x < 2:
		return ((r.a*x-5*r.a)*x+8*r.a)*x - 4*r.a
	}
	return 0
}

// matrix returns the weights that take n samples to m, [m,n] row-major. They
// are at most maxGrid squared.
func (r resampling) matrix(n, m int) []float64 {
	w := make([]float64, m*n)
	for i := range m {
		if r.antialias {
			r.fillWide(w[i*n:(i+1)*n], float64(n)/float64(m), i)
		} else {
			r.fill(w[i*n:(i+1)*n], m, i)
		}
	}
	return w
}

// fill sets the four weights of output i of m; samples beyond the border
// repeat the last one (ATen/native/UpSample.h: get_cubic_upsample_coefficients).
func (r resampling) fill(row []float64, m, i int) {
	n := len(row)
	x := (float64(i)+0.5)*float64(n)/(float64(m)+r.offset) - 0.5
	if r.alignCorners {
		x = 0
		if m > 1 {
			x = float64(i) * float64(n-1) / float64(m-1)
		}
	}
	base := math.Floor(x)
	for k := -1; k <= 2; k++ {
		j := min(max(int(base)+k, 0), n-1)
		row[j] += r.cubic(x - base - float64(k))
	}
}

// fillWide is Pillow's filter: the kernel is as wide as the scale, samples
// beyond the border do not count, and the weights sum to one
// (ATen/native/cpu/UpSampleKernel.cpp: _compute_indices_min_size_weights_aa).
func (r resampling) fillWide(row []float64, scale float64, i int) {
	wide := max(scale, 1)
	center := scale * (float64(i) + 0.5)
	lo := max(int(center-2*wide+0.5), 0)
	hi := min(int(center+2*wide+0.5), len(row))
	sum := 0.0
	for j := lo; j < hi; j++ {
		row[j] = r.cubic((float64(j) + 0.5 - center) / wide)
		sum += row[j]
	}
	for j := lo; j < hi; j++ {
		row[j] /= sum
	}
}

// positions resamples a position embedding [prefix+from.rows·from.cols, width] to
// [prefix+to.rows·to.cols, width]. The first ones belong to class tokens and registers, and stay.
func (r resampling) positions(pos []float32, width, prefix int, from, to grid) []float32 {
	head, pos := pos[:prefix*width], pos[prefix*width:]
	down, across := r.matrix(from.rows, to.rows), r.matrix(from.cols, to.cols)
	n := from.cols
	lines := make([]float64, to.rows*n*width) // the grid after its first axis
	for y := range to.rows {
		for v := range from.rows {
			if k := down[y*from.rows+v]; k != 0 {
				addScaled(lines[y*n*width:(y+1)*n*width], pos[v*n*width:(v+1)*n*width], k)
			}
		}
	}
	out := make([]float32, (prefix+to.rows*to.cols)*width)
	copy(out, head)
	sum := make([]float64, width)
	for p := range to.rows * to.cols {
		y, x := p/to.cols, p%to.cols
		clear(sum)
		for u := range n {
			addScaled(sum, lines[(y*n+u)*width:(y*n+u+1)*width], across[x*n+u])
		}
		for i, s := range sum {
			out[(prefix+p)*width+i] = float32(s)
		}
	}
	return out
}

// grid is how the patches of an input lie.
type grid struct{ rows, cols int }

func (c Config) grid() grid { return grid{c.Image / c.Patch, c.across() / c.Patch} }

func addScaled[T float32 | float64](dst []float64, src []T, w float64) {
	for i, v := range src {
		dst[i] += w * float64(v)
	}
}

// setImageSize makes the model's input so many pixels high and across, 0 being as many,
// multiples of the patch size, and interpolates the position embedding (bicubic, on the
// grid of patches; see resampling for the convention). It always starts from the
// checkpoint's embedding.
func (m *Model) setImageSize(height, across int) error {
	c := m.Config
	c.Image, c.Across = height, across
	if c.Across == c.Image {
		c.Across = 0
	}
	if err := c.validate(); err != nil {
		return fmt.Errorf("%s: %w", m.Source, err)
	}
	from, to, pos := m.trained.grid(), c.grid(), m.positions
	if from != to {
		pos = weight{shape: []int{1, c.positions(), c.Width}, read: func() ([]float32, error) {
			v, err := m.positions.read()
			if err != nil {
				return nil, err
			}
			return m.resample.positions(v, c.Width, c.posPrefix(), from, to), nil
		}}
	}
	m.weights["pos"], m.Config = pos, c
	return nil
}
