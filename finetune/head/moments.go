package head

import (
	"fmt"
	"math"
	"slices"

	"graft/graph/engine/sgemm"
	"graft/internal/plural"
)

// chunks is into how many parts rows are cut for sums. It is the same for any
// number of threads, so that sums are too.
const chunks = 32

// chunk is the range of the i-th of n rows' parts.
func chunk(i, n int) (from, to int) { return i * n / chunks, (i + 1) * n / chunks }

// Moments returns mean and standard deviation (of the population, as
// scikit-learn's StandardScaler has it) of each column of x [·,d] over the rows
// with the given numbers. A column that does not vary beyond float32's rounding
// of its mean gets 1. Threads 0 means all cores.
func Moments(x []float32, d int, rows []int, threads int) (mean, std []float32, err error) {
	if d < 1 || len(x)%d != 0 {
		return nil, nil, fmt.Errorf("%d feature values do not make rows of %d", len(x), d)
	}
	n := len(x) / d
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("mean and deviation of none of %s of features", plural.Of(n, "row"))
	}
	if low, high := slices.Min(rows), slices.Max(rows); low < 0 || high >= n {
		return nil, nil, fmt.Errorf("rows %d to %d of features that have %d", low, high, n)
	}
	return features{x: x, n: n, d: d, rows: rows, threads: sgemm.Threads(threads)}.moments()
}

// features are rows of a matrix: x [·,d], rows nil for all n.
type features struct {
	x    []float32
	n, d int
	rows []int

	threads sgemm.Threads
}

func (f features) count() int {
	if f.rows == nil {
		return f.n
	}
	return len(f.rows)
}

func (f features) index(i int) int {
	if f.rows == nil {
		return i
	}
	return f.rows[i]
}

func (f features) row(i int) []float32 {
	i = f.index(i)
	return f.x[i*f.d : (i+1)*f.d]
}

// moments is Moments of the features' own rows. The deviation of a column that
// hardly varies is 1 so that it stays harmless.
func (f features) moments() (mean, std []float32, err error) {
	n := float64(f.count())
	shift := f.row(0)
	sums := f.shiftedSums(shift)
	mean, std = make([]float32, f.d), make([]float32, f.d)
	for j := range mean {
		m := sums[2*j] / n
		variance := max(0, sums[2*j+1]/n-m*m)
		m += float64(shift[j])
		if math.IsNaN(m) || math.IsInf(m, 0) || math.IsInf(variance, 0) || math.IsNaN(sums[2*j+1]) {
			return nil, nil, f.findBad(j)
		}
		s := math.Sqrt(variance)
		if !(s > 1e-6*math.Abs(m)) || float32(s) == 0 || math.IsInf(float64(1/float32(s)), 0) {
			s = 1
		}
		mean[j], std[j] = float32(m), float32(s)
	}
	return mean, std, nil
}

// shiftedSums returns the sums of x−shift and of its square by column,
// interleaved. With a shift of the columns' size, little cancels.
func (f features) shiftedSums(shift []float32) []float64 {
	parts := make([][]float64, chunks)
	f.threads.For(chunks, func(c int) {
		sums := make([]float64, 2*f.d)
		from, to := chunk(c, f.count())
		for i := from; i < to; i++ {
			row := f.row(i)
			for j, s := range shift {
				v := float64(row[j]) - float64(s)
				sums[2*j] += v
				sums[2*j+1] += v * v
			}
		}
		parts[c] = sums
	})
	for _, p := range parts[1:] {
		for j, v := range p {
			parts[0][j] += v
		}
	}
	return parts[0]
}

func (f features) findBad(j int) error {
	for i := range f.count() {
		if v := float64(f.row(i)[j]); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("feature %d of row %d is %g: extract the embeddings again, or leave the row out", j, f.index(i), v)
		}
	}
	return fmt.Errorf("feature %d is too large to standardise in float64", j)
}
