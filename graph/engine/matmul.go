package engine

import (
	"gonum.org/v1/gonum/blas"
	"gorgonia.org/tensor"

	"graft/graph"
	"graft/graph/engine/sgemm"
)

// gemm is C = op(A)·op(B) on the calling goroutine, through the BLAS that gorgonia uses.
func gemm(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int) {
	gemmAdd(transA, transB, m, n, k, a, lda, b, ldb, 0, c, ldc)
}

// gemmAdd is C = op(A)·op(B) + beta·C, likewise.
func gemmAdd(transA, transB bool, m, n, k int, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	switch impl := tensor.WhichBLAS().(type) {
	case sgemm.BLAS:
		sgemm.Serial.Gemm(transA, transB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
	default:
		impl.Sgemm(transposition(transA), transposition(transB), m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
	}
}

func transposition(t bool) blas.Transpose {
	if t {
		return blas.Trans
	}
	return blas.NoTrans
}

// product is one or many matrix products of the same sizes.
type product struct {
	a, b, c        []float32
	transA, transB bool
	m, n, k        int
	lda, ldb       int
	atA, atB       []int // where each product's operands begin
}

func emitMatMul(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	t, a, b := n.Attrs().(graph.MatMulAttrs), n.Inputs()[0], n.Inputs()[1]
	p := &product{a: in[0], b: in[1], c: out, transA: t.TransA, transB: t.TransB,
		m: n.Dim(-2), n: n.Dim(-1), k: a.Dim(-1), lda: a.Dim(-1), ldb: b.Dim(-1)}
	if t.TransA {
		p.k = a.Dim(-2)
	}
	batch := n.Shape()[:len(n.Shape())-2]
	p.atA, p.atB = matrices(a.Shape(), batch), matrices(b.Shape(), batch)
	work := max(1, p.m*p.n*p.k/32) // nanoseconds
	if p.m*p.n*p.k <= tiny {
		work = p.m * p.n * p.k
	}
	if batch.Size() > 1 {
		return []step{c.loop(n, batch.Size(), 1, 50+work, p.batch)}
	}
	// One product: cut along its longer side. Each part sums in the order that the sizes fix.
	if p.m >= p.n {
		return []step{c.loop(n, p.m, 8, 1+work/p.m, p.rows)}
	}
	return []step{c.loop(n, p.n, 16, 1+work/p.n, p.columns)}
}

// matrices lists where an operand's matrix for each member of the result's batch begins.
func matrices(operand, batch graph.Shape) []int {
	lead := operand[:len(operand)-2]
	strides, size := lead.StridesIn(batch), operand[len(lead):].Size()
	var out []int
	for _, index := range batch.Indices() {
		out = append(out, graph.Offset(strides, index)*size)
	}
	return out
}

func (p *product) batch(lo, hi int) {
	size := p.m * p.n
	for i := lo; i < hi; i++ {
		a, b, c := p.a[p.atA[i]:], p.b[p.atB[i]:], p.c[i*size:(i+1)*size]
		if size*p.k <= tiny {
			p.direct(a, b, c)
		} else {
			gemm(p.transA, p.transB, p.m, p.n, p.k, a, p.lda, b, p.ldb, c, p.n)
		}
	}
}

// tiny is the number of multiplications below which plain loops beat the kernels' preparations.
const tiny = 256

func (p *product) direct(a, b, c []float32) {
	ai, ak := p.lda, 1
	if p.transA {
		ai, ak = 1, p.lda
	}
	bk, bj := p.ldb, 1
	if p.transB {
		bk, bj = 1, p.ldb
	}
	for i := range p.m {
		for j := range p.n {
			var s float32
			x, y := i*ai, j*bj
			for range p.k {
				s += a[x] * b[y]
				x, y = x+ak, y+bk
			}
			c[i*p.n+j] = s
		}
	}
}

func (p *product) rows(lo, hi int) {
	at := lo * p.lda
	if p.transA {
		at = lo
	}
	gemm(p.transA, p.transB, hi-lo, p.n, p.k, p.a[at:], p.lda, p.b, p.ldb, p.c[lo*p.n:], p.n)
}

func (p *product) columns(lo, hi int) {
	at := lo
	if p.transB {
		at = lo * p.ldb
	}
	gemm(p.transA, p.transB, p.m, hi-lo, p.k, p.a, p.lda, p.b[at:], p.ldb, p.c[lo:], p.n)
}
