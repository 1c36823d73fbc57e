package preprocess

// ResizeAntialias resamples src, [c,h,w], to dst, [c,oh,ow], with a triangle
// filter that widens by the scale when shrinking: torchvision's
// Resize(antialias=True) on float tensors. The values have any range.
func ResizeAntialias(dst, src []float32, c, h, w, oh, ow int) {
	across, down := triangleTaps(w, ow), triangleTaps(h, oh)
	rows := make([]float32, h*ow) // resampled first
	for k := range c {
		plane := src[k*h*w : (k+1)*h*w]
		for y := range h {
			line := plane[y*w : (y+1)*w]
			for x, t := range across {
				rows[y*ow+x] = dot(t.weights, line[t.first:])
			}
		}
		out := dst[k*oh*ow : (k+1)*oh*ow]
		for y, t := range down {
			addRows(out[y*ow:(y+1)*ow], rows[t.first*ow:], t.weights)
		}
	}
}

// taps are one output position's source window: the weights of
// src[first], src[first+1], …
type taps struct {
	first   int
	weights []float32
}

// triangleTaps follows PyTorch's _compute_weights_aa for the bilinear filter:
// support max(scale,1), weights normalised to 1.
func triangleTaps(in, out int) []taps {
	t := make([]taps, out)
	scale := float32(in) / float32(out)
	width := max(scale, 1)
	for i := range t {
		centre := scale * (float32(i) + 0.5)
		lo := max(int(centre-width+0.5), 0)
		hi := min(int(centre+width+0.5), in)
		w := make([]float32, hi-lo)
		var sum float32
		for j := range w {
			d := (float32(j+lo) - centre + 0.5) / width
			w[j] = max(1-max(d, -d), 0)
			sum += w[j]
		}
		for j := range w {
			w[j] /= sum
		}
		t[i] = taps{lo, w}
	}
	return t
}

func dot(w, x []float32) float32 {
	var s float32
	for i, v := range w {
		s += v * x[i]
	}
	return s
}

// addRows sets line to the sum of the rows under weights.
func addRows(line, rows, weights []float32) {
	clear(line)
	for i, v := range weights {
		for x, r := range rows[i*len(line) : (i+1)*len(line)] {
			line[x] += v * r
		}
	}
}
