package sgemm

import (
	"fmt"

	"graft/graph/engine/internal/pages"
)

// Packed is a matrix op(B) [k,n] in the order in which products read it, for one that many of them share: a network's
// weights. It is bound to the processor that it was packed on.
type Packed struct {
	kernel kernel
	k, n   int
	width  int       // n in whole panels
	data   []float32 // blocks of the sum, in each panels [block][columns], the last one padded with zeros
}

// Pack copies op(B), stored with rows of ldb elements.
func Pack(transB bool, k, n int, b []float32, ldb int) *Packed {
	checkMatrix("b", transB, k, n, b, ldb)
	p := &product{kernel: *current.Load(), n: n, k: k, nc: n, b: matrix{b, ldb, transB}}
	width := (n + p.cols - 1) / p.cols * p.cols
	x := &Packed{p.kernel, k, n, width, pages.Floats(k * width)}
	p.shared = x
	size := p.depthOfBlock()
	for p.p0 = 0; p.p0 < k; p.p0 += p.kc {
		p.kc = min(size, k-p.p0)
		p.packed = x.data[p.p0*width:]
		p.packColumns(0, n)
	}
	return x
}

// Size is k and n.
func (x *Packed) Size() (k, n int) { return x.k, x.n }

// Panel is the multiple of columns at which a product may be cut.
func (x *Packed) Panel() int { return x.kernel.cols }

// Finisher is told of parts of a product that are complete and still in the cache: rows [i0,i1) and columns [j0,j1) of C.
// Parts come in any order and, on several threads, at once.
type Finisher interface{ Done(i0, i1, j0, j1 int) }

// GemmPacked computes columns [j0,j1) of C = A·op(B) on row-major matrices, A being [m,k] and C [m,n]; j0 is a multiple of
// Panel. f may be nil.
func (t Threads) GemmPacked(m int, a []float32, lda int, x *Packed, j0, j1 int, c []float32, ldc int, f Finisher) {
	checkMatrix("a", false, m, x.k, a, lda)
	checkMatrix("c", false, m, x.n, c, ldc)
	if m == 0 || j0 >= j1 {
		return
	}
	if j0%x.kernel.cols != 0 || j0 < 0 || j1 > x.n {
		panic(fmt.Sprintf("sgemm: columns %d to %d of %d in panels of %d", j0, j1, x.n, x.kernel.cols))
	}
	p := products.Get().(*product)
	defer p.release()
	p.kernel = x.kernel
	p.m, p.n, p.k = m, j1, x.k
	p.a, p.b, p.c = matrix{a, lda, false}, matrix{}, matrix{c, ldc, false}
	p.alpha, p.beta = 1, 0
	p.threads = t.Count()
	p.shared, p.finisher = x, f
	p.j0, p.nc = j0, j1-j0
	p.sum()
}
