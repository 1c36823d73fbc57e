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
	whole  bool      // pairs of int16 in the place of float32: half as many rows
	width  int       // n in whole panels
	data   []float32 // blocks of the sum, in each panels [block][columns], the last one padded with zeros
}

// Pack copies op(B), stored with rows of ldb elements.
func Pack(transB bool, k, n int, b []float32, ldb int) *Packed {
	checkMatrix("b", transB, k, n, b, ldb)
	x := &Packed{kernel: *current.Load(), k: k, n: n}
	x.fill(k, matrix{b, ldb, transB})
	return x
}

// largestWhole bounds whole numbers: the sum of a block's products stays far inside of int32.
const largestWhole = 255

// PackWhole is Pack for whole numbers of at most 255, either sign, to be multiplied by such numbers only: products are of
// int16, sums of 512 of them exact, in int32, and these are rounded to float32 and added
// in it. The result is the same on every processor. A row with NaN, or another number than those, is NaN throughout.
func PackWhole(transB bool, k, n int, b []float32, ldb int) (*Packed, error) {
	checkMatrix("b", transB, k, n, b, ldb)
	x := &Packed{kernel: *current.Load(), k: k, n: n, whole: true}
	x.kernel.tile = x.kernel.pairs
	rows, step, next := (k+1)/2, ldb, 1
	if transB {
		step, next = next, step
	}
	paired := make([]float32, rows*n)
	for i := range rows {
		for j := range n {
			low, high := b[2*i*step+j*next], float32(0)
			if 2*i+1 < k {
				high = b[(2*i+1)*step+j*next]
			}
			for _, v := range [2]float32{low, high} {
				if v != float32(int16(v)) || max(v, -v) > largestWhole {
					return nil, fmt.Errorf("sgemm: %g among whole numbers of at most %d", v, largestWhole)
				}
			}
			paired[i*n+j] = pair(low, high)
		}
	}
	x.fill(rows, matrix{paired, n, false})
	return x, nil
}

// fill copies the panels of so many rows.
func (x *Packed) fill(rows int, b matrix) {
	p := &product{kernel: x.kernel, n: x.n, k: rows, nc: x.n, b: b, shared: x}
	x.width = (x.n + p.cols - 1) / p.cols * p.cols
	x.data = pages.Floats(rows * x.width)
	size := p.depthOfBlock()
	for p.p0 = 0; p.p0 < rows; p.p0 += p.kc {
		p.kc = min(size, rows-p.p0)
		p.packed = x.data[p.p0*x.width:]
		p.packColumns(0, x.n)
	}
}

// Size is k and n.
func (x *Packed) Size() (k, n int) { return x.k, x.n }

// Panel is the multiple of columns at which a product may be cut.
func (x *Packed) Panel() int { return x.kernel.cols }

// Finisher is told of parts of a product that are complete and still in the cache: rows [i0,i1) and columns [j0,j1) of C.
// Parts come in any order and, on several threads, at once.
type Finisher interface{ Done(i0, i1, j0, j1 int) }

// GemmPacked computes columns [j0,j1) of C = A·op(B) on row-major matrices, A being [m,k] and C [m,n]; j0 is a multiple of
// Panel. f may be nil. Where x holds whole numbers, so must A.
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
	if x.whole {
		p.k = (x.k + 1) / 2
	}
	p.a, p.b, p.c = matrix{a, lda, false}, matrix{}, matrix{c, ldc, false}
	p.alpha, p.beta = 1, 0
	p.threads = t.Count()
	p.shared, p.finisher = x, f
	p.j0, p.nc = j0, j1-j0
	p.sum()
}
