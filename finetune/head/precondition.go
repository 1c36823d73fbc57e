package head

import (
	"math"

	"graft/graph/engine/sgemm"
)

// conditioner is a change of variables in which the objective is nearly round:
// θ's W becomes V = W·L, where L·Lᵀ = h·S + λ·I and S holds the features' second
// moments. Böhning (1992, Annals of the Institute of Statistical Mathematics 44)
// bounds the multinomial Hessian by ½·(I − 1·1ᵀ/K) ⊗ S; h is what the middle of
// it has where all K classes are equally likely. Gradient norms in V measure how
// far the loss is above its minimum, and L-BFGS needs a tenth of the iterations.
type conditioner struct {
	*factor
	classes int
	bias    float64 // √h, for B
	w       []float32
}

// secondMoments returns S = ZᵀZ/m [d,d] of the standardised features, its lower
// triangle alone, from m evenly spaced rows. 2·d of them, 4,096 at least, tell
// the shape well enough: twice as many saved no iteration.
func (o *objective) secondMoments() []float32 {
	m := min(o.count(), max(4096, 2*o.d))
	s := make([]float32, o.d*o.d)
	const rows = 1024
	z := make([]float32, min(m, rows)*o.d)
	for from := 0; from < m; from += rows {
		n := min(rows, m-from)
		o.threads.For(n, func(i int) {
			row := o.row((from + i) * o.count() / m)
			sgemm.Standardize(z[i*o.d:(i+1)*o.d], row, o.mean, o.scale)
		})
		addSquare(o.threads, s, z, n, o.d, 1/float32(m))
	}
	return s
}

// addSquare adds alpha·ZᵀZ to the lower triangle of s, in bands of rows.
func addSquare(t sgemm.Threads, s, z []float32, n, d int, alpha float32) {
	const band = 192
	for from := 0; from < d; from += band {
		to := min(from+band, d)
		t.Gemm(true, false, to-from, to, n, alpha, z[from:], d, z, d, 1, s[from*d:], d)
	}
}

// newConditioner factors h·S + λ·I. A little is added to the diagonal to stay
// clear of float32's rounding, and more if that does not do.
func newConditioner(s []float32, d, classes int, lambda float64, threads sgemm.Threads) (*conditioner, error) {
	h := (1 - 1/float64(classes)) / float64(classes)
	m := make([]float32, len(s))
	for ridge := 1e-4; ; ridge *= 10 {
		for i := range d {
			for j, v := range s[i*d : i*d+i+1] {
				m[i*d+j] = float32(h) * v
			}
			m[i*d+i] += float32(lambda + ridge*h)
		}
		f, err := cholesky(m, d, threads)
		if err == nil {
			return &conditioner{f, classes, math.Sqrt(h), make([]float32, classes*d)}, nil
		}
		if ridge >= 10 {
			return nil, err
		}
	}
}

// leave sets θ to the variables v's place in the original ones.
func (c *conditioner) leave(theta, v []float64) { c.apply(theta, v, c.solve) }

// gradient sets g to the gradient in v, given that in θ.
func (c *conditioner) gradient(g, theta []float64) { c.apply(g, theta, c.solveTransposed) }

func (c *conditioner) apply(dst, src []float64, solve func([]float32, int)) {
	for j := range c.w {
		c.w[j] = float32(src[j])
	}
	solve(c.w, c.classes)
	for j, v := range c.w {
		dst[j] = float64(v)
	}
	for k := len(c.w); k < len(src); k++ {
		dst[k] = src[k] / c.bias
	}
}

// enter sets v to θ in the new variables: W·L and the scaled B.
func (c *conditioner) enter(v, theta []float64) {
	clear(v)
	for k := range c.classes {
		out := v[k*c.d : (k+1)*c.d]
		for i, w := range theta[k*c.d : (k+1)*c.d] {
			if w == 0 {
				continue
			}
			for j, l := range c.l[i*c.d : i*c.d+i+1] {
				out[j] += w * float64(l)
			}
		}
	}
	for k := len(c.w); k < len(theta); k++ {
		v[k] = theta[k] * c.bias
	}
}
