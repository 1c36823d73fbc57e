package head

import (
	"errors"
	"math"

	"graft/graph/engine/sgemm"
)

// factor is the lower triangle L [d,d] of a positive definite matrix L·Lᵀ, in
// float32 and in blocks, so that nearly all of the work is matrix products. It
// serves as a change of variables, where rounding costs iterations but not
// correctness.
type factor struct {
	d        int
	l        []float32   // [d,d], the upper triangle left over
	diagonal [][]float32 // inverse of each diagonal block, lower triangular
	threads  sgemm.Threads
}

const factorBlock = 96

func (f *factor) blocks() int { return (f.d + factorBlock - 1) / factorBlock }

// block is the range of the i-th block of rows and columns.
func (f *factor) block(i int) (from, to int) {
	return i * factorBlock, min((i+1)*factorBlock, f.d)
}

// cholesky factors m [d,d], of which it reads and overwrites the lower triangle.
func cholesky(m []float32, d int, threads sgemm.Threads) (*factor, error) {
	f := &factor{d: d, l: m, threads: threads}
	column := make([]float32, d*factorBlock)
	for i := range f.blocks() {
		from, to := f.block(i)
		n := to - from
		// What the columns to the left contribute to this block column.
		f.threads.Gemm(false, true, d-from, n, from, -1, m[from*d:], d, m[from*d:], d, 1, m[from*d+from:], d)
		inverse, ok := factorDiagonal(m[from*d+from:], d, n)
		if !ok {
			return nil, errors.New("second moments are not positive definite")
		}
		f.diagonal = append(f.diagonal, inverse)
		if to == d {
			break
		}
		below := column[:(d-to)*n]
		f.threads.Gemm(false, true, d-to, n, n, 1, m[to*d+from:], d, inverse, n, 0, below, n)
		for r := range d - to {
			copy(m[(to+r)*d+from:(to+r)*d+to], below[r*n:])
		}
	}
	return f, nil
}

// factorDiagonal factors the n×n block at the start of m in float64, and
// returns the inverse of its factor.
func factorDiagonal(m []float32, stride, n int) (inverse []float32, ok bool) {
	l := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			s := float64(m[i*stride+j])
			for k := range j {
				s -= l[i*n+k] * l[j*n+k]
			}
			if i > j {
				l[i*n+j] = s / l[j*n+j]
				continue
			}
			if !(s > 0) {
				return nil, false
			}
			l[i*n+i] = math.Sqrt(s)
		}
	}
	for i := range n {
		for j := range i + 1 {
			m[i*stride+j] = float32(l[i*n+j])
		}
	}
	return invertLower(l, n), true
}

// invertLower returns the inverse of a lower triangle [n,n].
func invertLower(l []float64, n int) []float32 {
	inv := make([]float64, n*n)
	for j := range n {
		inv[j*n+j] = 1 / l[j*n+j]
		for i := j + 1; i < n; i++ {
			var s float64
			for k := j; k < i; k++ {
				s += l[i*n+k] * inv[k*n+j]
			}
			inv[i*n+j] = -s / l[i*n+i]
		}
	}
	out := make([]float32, n*n)
	for i, v := range inv {
		out[i] = float32(v)
	}
	return out
}

// solve replaces v [rows,d] by v·L⁻¹.
func (f *factor) solve(v []float32, rows int) {
	part := make([]float32, rows*factorBlock)
	for i := f.blocks() - 1; i >= 0; i-- {
		from, to := f.block(i)
		f.diagonalProduct(part, v, rows, i, false)
		f.threads.Gemm(false, false, rows, from, to-from, -1, part, to-from, f.l[from*f.d:], f.d, 1, v, f.d)
	}
}

// solveTransposed replaces v [rows,d] by v·L⁻ᵀ.
func (f *factor) solveTransposed(v []float32, rows int) {
	part := make([]float32, rows*factorBlock)
	for i := range f.blocks() {
		from, to := f.block(i)
		f.threads.Gemm(false, true, rows, to-from, from, -1, v, f.d, f.l[from*f.d:], f.d, 1, v[from:], f.d)
		f.diagonalProduct(part, v, rows, i, true)
	}
}

// diagonalProduct multiplies block i of v by the inverse of the diagonal block,
// in v and in part.
func (f *factor) diagonalProduct(part, v []float32, rows, i int, trans bool) {
	from, to := f.block(i)
	n := to - from
	f.threads.Gemm(false, trans, rows, n, n, 1, v[from:], f.d, f.diagonal[i], n, 0, part, n)
	for r := range rows {
		copy(v[r*f.d+from:r*f.d+to], part[r*n:(r+1)*n])
	}
}
