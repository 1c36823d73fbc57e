package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/mat"

	"graft/finetune/head"
	"graft/graph/engine/sgemm"
	"graft/internal/measure"
)

// inverseStrength is scikit-learn's C of the fit.
const inverseStrength = 0.01

// head times whole fits, from raw features to weights; drawing the features is
// not part of that.
func (c Config) head(ctx context.Context, progress func(done, total int64)) ([]measure.Case, error) {
	x, y := c.features()
	o := head.LBFGSOptions{Lambda: head.LambdaFromC(inverseStrength, c.Rows), Threads: c.Threads}
	rounds := make([]time.Duration, 0, c.Rounds)
	for r := -1; r < c.Rounds; r++ {
		start := time.Now()
		_, trace, err := head.FitLBFGS(ctx, x, c.Rows, c.Dim, y, classes, o)
		took := time.Since(start)
		if err != nil {
			return nil, err
		}
		if !trace.Converged {
			return nil, fmt.Errorf("the fit to %d rows of %d did not converge in %d iterations", c.Rows, c.Dim, trace.Last().Iteration)
		}
		if r >= 0 {
			rounds = append(rounds, took)
			progress(int64(r+1), int64(c.Rounds))
		}
	}
	return []measure.Case{measured(Head, float64(c.Rows), rowUnit, c.Rows, rounds)}, nil
}

// features draws x [Rows,Dim] and labels like those that a vision transformer
// gives, as scripts/bench_head_sklearn.py does: correlated columns whose
// spectrum decays as a power and whose means and scales differ widely, seven
// unequal classes, and labels that no classifier predicts fully.
func (c Config) features() (x []float32, y []int) {
	rows, dim, threads := c.Rows, c.Dim, sgemm.Threads(c.Threads)
	r := rand.New(rand.NewPCG(c.Seed, 0x68656164)) // "head"
	spectrum, factors := make([]float32, dim), normals(r, rows*dim)
	for j := range spectrum {
		spectrum[j] = float32(math.Pow(float64(1+j), -0.8))
	}
	y = labels(r, threads, factors, spectrum, rows)
	for i := range factors {
		factors[i] *= spectrum[i%dim]
	}
	x = make([]float32, rows*dim)
	threads.Gemm(false, false, rows, dim, dim, 1, factors, dim, rotation(r, dim), dim, 0, x, dim)
	scale, shift := make([]float32, dim), make([]float32, dim)
	for j := range dim {
		scale[j], shift[j] = float32(math.Exp(r.NormFloat64())), float32(r.NormFloat64()/2)
	}
	for i := range x {
		x[i] = x[i]*scale[i%dim] + shift[i%dim]
	}
	return x, y
}

// labels draws from the softmax of logits that are linear in the factors.
func labels(r *rand.Rand, threads sgemm.Threads, factors, spectrum []float32, rows int) []int {
	dim := len(spectrum)
	shares := [classes]float64{0.14, 0.015, 0.14, 0.25, 0.17, 0.11, 0.17} // about FER2013's
	w := normals(r, dim*classes)
	for i := range w {
		w[i] *= 2.1 * spectrum[i/classes]
	}
	logits := make([]float32, rows*classes)
	threads.Gemm(false, false, rows, classes, dim, 1, factors, dim, w, classes, 0, logits, classes)
	y := make([]int, rows)
	for i := range y {
		best := math.Inf(-1)
		for k, share := range shares {
			// The largest of logits with Gumbel noise is a draw from their softmax.
			noisy := float64(logits[i*classes+k]) + math.Log(share) - math.Log(r.ExpFloat64())
			if noisy > best {
				best, y[i] = noisy, k
			}
		}
	}
	return y
}

// rotation is a random orthogonal matrix [dim,dim].
func rotation(r *rand.Rand, dim int) []float32 {
	m := mat.NewDense(dim, dim, nil)
	for i := range dim {
		for j := range dim {
			m.Set(i, j, r.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(m)
	qr.QTo(m)
	out := make([]float32, 0, dim*dim)
	for _, v := range m.RawMatrix().Data {
		out = append(out, float32(v))
	}
	return out
}

func normals(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}
