package sgemm

import (
	"math"
	"sync"
)

// Block sizes, measured: a few rows of A and a panel of B (depth×32) lie in the
// first-level cache, a block of C (rowBlock×groupWidth) in the second-level one,
// and B is streamed from the third. Groups of B small enough for the second-level
// cache were a few percent slower, as A is copied anew for each.
const (
	depth      = 384  // of a block of the sum
	longDepth  = 512  // the same where B was packed before
	pairDepth  = 256  // the same of pairs of whole numbers
	rowBlock   = 48   // rows of A worked on at once, a multiple of every tile's
	groupWidth = 1024 // columns of B worked on at once
	panelsMax  = 8192 // columns of B packed at once
	inPlace    = 48   // rows of A up to which B is read where it lies
	skinny     = 16   // rows or columns up to which dot products serve
)

// product is one call of Gemm under way, with its buffers.
type product struct {
	kernel
	m, n, k     int
	a, b, c     matrix
	alpha, beta float32
	threads     int

	packed []float32 // panels of B, or all of it as rows for dots
	own    []float32 // the memory for that
	side   []float32 // C transposed

	shared   *Packed // B where it was packed before
	finisher Finisher

	// The block under way: sum over p in [p0,p0+kc), columns [j0,j0+nc).
	p0, kc, j0, nc int
	blockBeta      float32
	whole          int // columns of the block read in place, the rest packed
	groupCols      int
	rowBlocks      int
}

var products = sync.Pool{New: func() any { return new(product) }}

// release forgets the operands, so that the pool keeps no caller's memory alive.
func (p *product) release() {
	p.a, p.b, p.c = matrix{}, matrix{}, matrix{}
	p.packed, p.shared, p.finisher = nil, nil, nil
	products.Put(p)
}

func (p *product) run() {
	switch {
	case p.a.trans && p.n <= skinny && p.m > p.cols:
		p.flipped()
	case p.a.trans || min(p.m, p.n) > skinny:
		p.tiles()
	case p.b.trans:
		p.dots()
	case p.n <= skinny && p.m > skinny:
		p.transposeB()
		p.dots()
	default:
		p.tiles()
	}
}

// tiles is the general way: B in panels as wide as a tile, A in small copies.
func (p *product) tiles() {
	for p.j0 = 0; p.j0 < p.n; p.j0 += p.nc {
		p.nc = min(panelsMax, p.n-p.j0)
		p.sum()
	}
}

// sum adds up the block of columns over the blocks of the sum.
func (p *product) sum() {
	p.blockBeta = p.beta
	size := p.depthOfBlock()
	for p.p0 = 0; p.p0 < p.k; p.p0 += p.kc {
		p.kc = min(size, p.k-p.p0)
		p.pack()
		p.multiply()
		p.blockBeta = 1
	}
}

// depthOfBlock cuts the sum into blocks of equal size.
func (p *product) depthOfBlock() int {
	longest := depth
	switch {
	case p.shared == nil:
	case p.shared.whole:
		longest = pairDepth
	default:
		longest = longDepth
	}
	blocks := (p.k + longest - 1) / longest
	return (p.k + blocks - 1) / blocks
}

// flipped computes Cᵀ = op(B)ᵀ·op(A)ᵀ on the side: a tile is mostly empty when C
// has few columns, and full when it has few rows.
func (p *product) flipped() {
	c, beta := p.c, p.beta
	p.side = grow(p.side, p.m*p.n)
	p.a, p.b, p.c = p.b.transposed(), p.a.transposed(), matrix{p.side, p.m, false}
	p.m, p.n, p.beta = p.n, p.m, 0
	p.tiles()
	for i := range p.n {
		row := c.data[i*c.ld : i*c.ld+p.m]
		for j, old := range row {
			row[j] = p.side[j*p.n+i]
			if beta != 0 {
				row[j] += beta * old
			}
		}
	}
}

// pack copies the block's columns into panels [kc][cols], the last one padded
// with zeros. Few rows of A make a copy of B dearer than what it saves: then
// whole panels stay in place.
func (p *product) pack() {
	p.whole = 0
	if x := p.shared; x != nil {
		p.packed = x.data[p.p0*x.width+p.j0*p.kc:]
		return
	}
	panels := (p.nc + p.cols - 1) / p.cols
	p.own = grow(p.own, panels*p.cols*p.kc)
	p.packed = p.own
	if !p.b.trans && p.m <= inPlace {
		p.whole = p.nc / p.cols * p.cols
		if p.whole < p.nc {
			p.packColumns(p.whole, p.nc)
		}
		return
	}
	spread((p.nc+groupWidth-1)/groupWidth, p.threads, (*packing)(p))
}

type packing product

func (t *packing) task(i int) {
	p := (*product)(t)
	p.packColumns(i*groupWidth, min((i+1)*groupWidth, p.nc))
}

// packColumns packs the columns [from,to) of the block; from starts a panel. Rows of B are taken few at a time over all
// panels: they lie far apart, and going down them panel by panel would wait for memory at each.
func (p *product) packColumns(from, to int) {
	if p.b.trans {
		for j := from; j < to; j += p.cols {
			width := min(p.cols, to-j)
			p.transpose(p.emptied(j, width), p.cols, p.b.data[(p.j0+j)*p.b.ld+p.p0:], p.b.ld, width, p.kc)
		}
		return
	}
	for j := from; j < to; j += p.cols {
		p.emptied(j, to-j)
	}
	const few = 8
	for q0 := 0; q0 < p.kc; q0 += few {
		q1 := min(q0+few, p.kc)
		for j := from; j < to; j += p.cols {
			panel := p.packed[j*p.kc : (j+p.cols)*p.kc]
			width := min(p.cols, to-j)
			src := p.b.data[p.p0*p.b.ld+p.j0+j:]
			for q := q0; q < q1; q++ {
				copy(panel[q*p.cols:q*p.cols+width], src[q*p.b.ld:])
			}
		}
	}
}

// emptied is the panel of column j, cleared where fewer columns than it holds are to fill it.
func (p *product) emptied(j, width int) []float32 {
	panel := p.packed[j*p.kc : (j+p.cols)*p.kc]
	if width < p.cols {
		clear(panel)
	}
	return panel
}

// transpose sets dst[j·ldd+i] to src[i·lds+j] for i < rows, j < cols.
func (p *product) transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	i8, j8 := rows/8*8, cols/8*8
	for i := 0; i < i8; i += 8 {
		for j := 0; j < j8; j += 8 {
			p.transpose8(dst[j*ldd+i:], ldd, src[i*lds+j:], lds)
		}
	}
	for i := range rows {
		first := j8
		if i >= i8 {
			first = 0
		}
		for j := first; j < cols; j++ {
			dst[j*ldd+i] = src[i*lds+j]
		}
	}
}

// multiply adds the block to C, in tasks of one row block by one group of panels.
func (p *product) multiply() {
	p.rowBlocks = (p.m + rowBlock - 1) / rowBlock
	p.groupCols = groupWidth
	for p.groupCols > p.cols && p.rowBlocks*((p.nc+p.groupCols-1)/p.groupCols) < 4*p.threads {
		p.groupCols /= 2
	}
	groups := (p.nc + p.groupCols - 1) / p.groupCols
	spread(groups*p.rowBlocks, p.threads, (*multiplying)(p))
}

type multiplying product

// task numbers run down the rows first: cores that work side by side share a
// group of panels.
func (t *multiplying) task(i int) {
	p := (*product)(t)
	i0, j0 := i%p.rowBlocks*rowBlock, i/p.rowBlocks*p.groupCols
	i1, j1 := min(i0+rowBlock, p.m), min(j0+p.groupCols, p.nc)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	lda, bad := p.copyRows(s, i0, i1)
	for i := i0; i < i1; i += p.rows {
		a := s[(i-i0)*lda:]
		for j := j0; j < j1; j += p.cols {
			b, ldb := p.panel(j)
			p.tile(min(p.rows, i1-i), min(p.cols, j1-j), p.kc, p.alpha,
				a, lda, b, ldb, p.blockBeta, p.c.data[i*p.c.ld+p.j0+j:], p.c.ld)
		}
	}
	for _, i := range bad {
		row := p.c.data[i*p.c.ld+p.j0:][j0:j1]
		for j := range row {
			row[j] = float32(math.NaN())
		}
	}
	if p.finisher != nil && p.p0+p.kc == p.k {
		p.finisher.Done(i0, i1, p.j0+j0, p.j0+j1)
	}
}

// panel is where the panel that starts at column j of the block lies.
func (p *product) panel(j int) (b []float32, ldb int) {
	if j < p.whole {
		return p.b.data[p.p0*p.b.ld+p.j0+j:], p.b.ld
	}
	return p.packed[j*p.kc:], p.cols
}

// scratch is a block of A, its rows a cache line longer than needed: rows a
// power of two apart would share cache sets.
type scratch [rowBlock * (longDepth + 16)]float32

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// copyRows copies rows [i0,i1) of op(A)'s block and returns the stride of the copy, and the rows that were to be whole
// numbers and are not. Of a transposed A a tile that read the columns as they lie would use a part of each cache line.
func (p *product) copyRows(s *scratch, i0, i1 int) (lda int, bad []int) {
	lda = p.kc + 16
	if p.a.trans {
		p.transpose(s[:], lda, p.a.data[p.p0*p.a.ld+i0:], p.a.ld, p.kc, i1-i0)
		return lda, nil
	}
	if p.shared != nil && p.shared.whole {
		for i := i0; i < i1; i++ {
			row := p.a.data[i*p.a.ld:][:p.shared.k]
			if !p.narrow(s[(i-i0)*lda:(i-i0)*lda+p.kc], row[2*p.p0:min(2*(p.p0+p.kc), len(row))]) {
				bad = append(bad, i)
			}
		}
		return lda, bad
	}
	for i := i0; i < i1; i++ {
		copy(s[(i-i0)*lda:(i-i0)*lda+p.kc], p.a.data[i*p.a.ld+p.p0:])
	}
	return lda, nil
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}
