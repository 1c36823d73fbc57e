package sgemm

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/tensor"
)

// BLAS is gonum's BLAS with this package's float32 matrix product.
// Give it to gorgonia with tensor.Use(sgemm.BLAS{}).
type BLAS struct {
	gonum.Implementation
	Threads Threads
}

var _ tensor.BLAS = BLAS{}

// Sgemm computes C = alpha·op(A)·op(B) + beta·C; see Gemm. Unlike gonum's, it
// lets 0·NaN be NaN.
func (g BLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	g.Threads.Gemm(transposed("A", tA), transposed("B", tB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// transposed panics on what is no transposition, as every BLAS does.
func transposed(name string, t blas.Transpose) bool {
	switch t {
	case blas.NoTrans:
		return false
	case blas.Trans, blas.ConjTrans:
		return true
	}
	panic("sgemm: bad transposition of " + name)
}
