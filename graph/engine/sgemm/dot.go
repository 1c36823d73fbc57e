package sgemm

import "sync"

// Block sizes for products with few rows or columns.
const (
	dotDepth = 2048 // of a block of the sum: 16 rows of it fit the second-level cache
	dotRows  = 64   // of the longer side in one task
)

// transposeB lays op(B) out as rows of B transposed, for dots.
func (p *product) transposeB() {
	p.own = grow(p.own, p.n*p.k)
	p.transpose(p.own, p.k, p.b.data, p.b.ld, p.k, p.n)
	p.b = matrix{p.own, p.k, true}
}

// dots computes C by dot products of rows of A with rows of B, both as they lie
// in memory: nothing is packed and no lane idles when C is 7 columns wide.
func (p *product) dots() {
	spread((max(p.m, p.n)+dotRows-1)/dotRows, p.threads, (*dotting)(p))
}

type dotting product

func (t *dotting) task(i int) {
	p := (*product)(t)
	from, to := i*dotRows, (i+1)*dotRows
	i0, i1, j0, j1 := from, min(to, p.m), 0, p.n
	if p.m < p.n {
		i0, i1, j0, j1 = 0, p.m, from, min(to, p.n)
	}
	s := dotSums.Get().(*[2][16]float32)
	defer dotSums.Put(s)
	for p0 := 0; p0 < p.k; p0 += dotDepth {
		beta := p.beta
		if p0 > 0 {
			beta = 1
		}
		kc := min(dotDepth, p.k-p0)
		for i := i0; i < i1; i += 4 {
			for j := j0; j < j1; {
				n := p.dotWidth(j1 - j)
				p.dotBlock(s, i, min(4, i1-i), j, n, p0, kc, beta)
				j += n
			}
		}
	}
}

// dotWidth is how many of the remaining columns to take so that none of the
// last blocks is much narrower than the others: 7 is 4+3, 5 is 3+2.
func (p *product) dotWidth(left int) int {
	blocks := (left + p.dotCols - 1) / p.dotCols
	return (left + blocks - 1) / blocks
}

// dotSums hold a block's sums and those of a single row.
var dotSums = sync.Pool{New: func() any { return new([2][16]float32) }}

// dotBlock computes rows [i,i+r) and columns [j,j+n) of C, r ≤ 4. A remainder
// of k that fills no vector is added here.
func (p *product) dotBlock(s *[2][16]float32, i, r, j, n, p0, kc int, beta float32) {
	clear(s[0][:])
	a, lda := p.a.data[i*p.a.ld+p0:], p.a.ld
	b, ldb := p.b.data[j*p.b.ld+p0:], p.b.ld
	whole := kc / p.lanes * p.lanes
	if whole > 0 {
		p.dotWhole(s, r, n, whole, a, lda, b, ldb)
	}
	for ii := range r {
		c := p.c.data[(i+ii)*p.c.ld+j : (i+ii)*p.c.ld+j+n]
		for jj := range c {
			sum := s[0][ii*n+jj]
			for q := whole; q < kc; q++ {
				sum += a[ii*lda+q] * b[jj*ldb+q]
			}
			sum *= p.alpha
			if beta != 0 {
				sum += beta * c[jj]
			}
			c[jj] = sum
		}
	}
}

// dotWhole fills s[0] for r rows. Blocks have four: of fewer, each is read on
// its own rather than a row beyond the matrix.
func (p *product) dotWhole(s *[2][16]float32, r, n, k int, a []float32, lda int, b []float32, ldb int) {
	if r == 4 {
		p.dot(n, k, a, lda, b, ldb, &s[0])
		return
	}
	for i := range r {
		p.dot(n, k, a[i*lda:], 0, b, ldb, &s[1])
		copy(s[0][i*n:(i+1)*n], s[1][:n])
	}
}
