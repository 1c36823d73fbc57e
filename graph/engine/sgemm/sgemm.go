// Package sgemm multiplies float32 matrices. Its inner loops are assembly for
// AVX-512 and for AVX2 with FMA, written with avo (folder gen), and portable Go
// elsewhere. Every element of the product is summed in one order that depends
// on the shapes alone, so results are the same bits for any number of threads.
//
// [BLAS] puts it behind gorgonia.org/tensor.
package sgemm

//go:generate go run -tags avo ./gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg sgemm

import "fmt"

// Gemm computes C = alpha·op(A)·op(B) + beta·C on row-major matrices, op being
// the transposition where asked for: op(A) is [m,k], op(B) [k,n], C [m,n], and
// lda, ldb and ldc are the lengths of rows as stored. As in BLAS, beta 0 ignores
// what C held and alpha 0 what A and B hold; else NaN and infinity spread as
// arithmetic says, 0·NaN being NaN. C must not overlap A or B. Like an index out
// of range, dimensions that do not fit the slices are a programmer's error and
// panic.
func (t Threads) Gemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	checkMatrix("a", transA, m, k, a, lda)
	checkMatrix("b", transB, k, n, b, ldb)
	checkMatrix("c", false, m, n, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	if k == 0 || alpha == 0 {
		scale(m, n, beta, c, ldc)
		return
	}
	p := products.Get().(*product)
	defer p.release()
	p.kernel = *current.Load()
	p.m, p.n, p.k = m, n, k
	p.a, p.b, p.c = matrix{a, lda, transA}, matrix{b, ldb, transB}, matrix{c, ldc, false}
	p.alpha, p.beta = alpha, beta
	p.threads = t.Count()
	if m*n*k < serialWork {
		p.threads = 1
	}
	p.run()
}

// serialWork is the number of multiplications below which waking another core
// costs more than it saves: about 10 µs of one core.
const serialWork = 1 << 19

// scale is the product without A·B.
func scale(m, n int, beta float32, c []float32, ldc int) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}

// matrix is an operand as stored; op(matrix) is its transposition if trans.
type matrix struct {
	data  []float32
	ld    int
	trans bool
}

func (m matrix) transposed() matrix { return matrix{m.data, m.ld, !m.trans} }

// checkMatrix panics unless op(data) holds rows×cols elements.
func checkMatrix(name string, trans bool, rows, cols int, data []float32, ld int) {
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("sgemm: %s is %d×%d", name, rows, cols))
	}
	if trans {
		rows, cols = cols, rows
	}
	if ld < max(1, cols) {
		panic(fmt.Sprintf("sgemm: rows of %s are %d long but its stride is %d", name, cols, ld))
	}
	if need := (rows-1)*ld + cols; rows > 0 && cols > 0 && len(data) < need {
		panic(fmt.Sprintf("sgemm: %s needs %d elements and has %d", name, need, len(data)))
	}
}
