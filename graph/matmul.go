package graph

import (
	"errors"
	"fmt"
	"slices"
)

// OpMatMul is the (batched) matrix product.
const OpMatMul Op = "MatMul"

// MatMulAttrs tells which operands are taken with their last two axes swapped, and what is known of them.
type MatMulAttrs struct {
	TransA, TransB bool
	// Whole says that all elements of both are whole numbers from -255 to 255, so that sums may be those of integers.
	Whole bool
}

// MatMul multiplies matrices [M,K]·[K,N] → [M,N]; leading axes are batches and broadcast.
func (g *Graph) MatMul(a, b *Node) *Node { return g.MatMulT(a, b, false, false) }

// MatMulT is MatMul with either operand transposed first: transA wants a as [K,M], transB b as [N,K].
func (g *Graph) MatMulT(a, b *Node, transA, transB bool) *Node {
	return g.MatMulAs(a, b, MatMulAttrs{TransA: transA, TransB: transB})
}

// MatMulAs is MatMul as attrs say.
func (g *Graph) MatMulAs(a, b *Node, attrs MatMulAttrs) *Node {
	if g.err != nil || a == nil || b == nil || len(b.shape) != 2 || len(a.shape) < 3 || attrs.TransA {
		return g.apply(OpMatMul, attrs, a, b)
	}
	// One matrix for the whole batch: the batch's rows are one tall matrix, so that it is one product, and one in
	// the gradient too, instead of one per member and a sum.
	rows := a.shape[:len(a.shape)-1]
	flat := g.apply(OpMatMul, attrs, g.Reshape(a, rows.Size(), a.Dim(-1)), b)
	return g.Reshape(flat, append(slices.Clone(rows), flat.Dim(-1))...)
}

func matMulShape(in []*Node, attrs any) (Shape, Type, error) {
	t := attrs.(MatMulAttrs)
	if err := wantTypes(in, Float); err != nil {
		return nil, 0, err
	}
	a, b := in[0].shape, in[1].shape
	if len(a) < 2 || len(b) < 2 {
		return nil, 0, fmt.Errorf("wanted matrices, got shapes %v and %v", a, b)
	}
	batch, err := broadcast(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return nil, 0, fmt.Errorf("batches: %w", err)
	}
	m, k := a[len(a)-2], a[len(a)-1]
	if t.TransA {
		m, k = k, m
	}
	kb, n := b[len(b)-2], b[len(b)-1]
	if t.TransB {
		kb, n = n, kb
	}
	if k != kb {
		return nil, 0, fmt.Errorf("inner sizes differ: %d and %d in %v and %v (transposed: %t, %t)", k, kb, a, b, t.TransA, t.TransB)
	}
	return append(slices.Clone(batch), m, n), Float, nil
}

// depth is the number of products in a sum.
func depth(n *Node) int {
	if n.attrs.(MatMulAttrs).TransA {
		return n.in[0].Dim(-2)
	}
	return n.in[0].Dim(-1)
}

// With A' = op(A), B' = op(B), Y = A'B': dA' = dY·B'ᵀ and dB' = A'ᵀ·dY; a transposed operand's gradient is the transpose
// of that.
func matMulGrad(g *Graph, n, dy *Node) []*Node {
	a, b, t := n.in[0], n.in[1], n.attrs.(MatMulAttrs)
	mm := func(x, y *Node, tx, ty bool) *Node {
		return g.apply(OpMatMul, MatMulAttrs{TransA: tx, TransB: ty}, x, y)
	}
	da, db := mm(dy, b, false, !t.TransB), mm(a, dy, !t.TransA, false)
	if t.TransA {
		da = mm(b, dy, t.TransB, true)
	}
	if t.TransB {
		db = mm(dy, a, true, t.TransA)
	}
	return []*Node{da, db}
}

func matMulNaive(n *Node, in [][]float64) ([]float64, error) {
	t, s := n.attrs.(MatMulAttrs), n.shape
	lead := s[:len(s)-2]
	operand := func(x *Node, trans bool) (strides []int, row, col int) {
		row, col = x.Dim(-1), 1
		if trans {
			row, col = col, row
		}
		strides = x.shape[:len(x.shape)-2].StridesIn(lead)
		for i := range strides {
			strides[i] *= x.Dim(-1) * x.Dim(-2)
		}
		return strides, row, col
	}
	sa, ra, ca := operand(n.in[0], t.TransA)
	sb, rb, cb := operand(n.in[1], t.TransB)
	out, rows, columns := make([]float64, s.Size()), s[len(lead)], s[len(lead)+1]
	for at, batch := range lead.Indices() {
		oa, ob := Offset(sa, batch), Offset(sb, batch)
		for i := range rows {
			row := out[(at*rows+i)*columns:][:columns]
			for k := range depth(n) { // outside, as b's rows mostly lie together
				x := in[0][oa+i*ra+k*ca]
				for j := range row {
					row[j] += x * in[1][ob+k*rb+j*cb]
				}
			}
		}
	}
	return out, nil
}

// matMulBatch: of two matrices the rows of the first are the batch's.
func matMulBatch(w *Writer, n *Node) error {
	if len(n.shape) > 2 {
		return batchBroadcasts(w, n)
	}
	if w.Batched[n.in[1]] || n.attrs.(MatMulAttrs).TransA {
		return errors.New("the product sums over the batch")
	}
	return nil
}

// writeMatMul adds Gemm for two matrices of which one is transposed, else MatMul after transposing.
func writeMatMul(w *Writer, n *Node) string {
	t := n.attrs.(MatMulAttrs)
	if !t.TransA && !t.TransB {
		return w.operator(n)
	}
	if len(n.in[0].shape) == 2 && len(n.in[1].shape) == 2 {
		operands := w.operands(n)
		if w.Model.Opset < 11 { // which made the summand optional
			operands = append(operands, w.Float32s(n.name+"/zero", []float32{0}))
		}
		return w.Op("Gemm", n.name, operands, attr("transA", flag(t.TransA)), attr("transB", flag(t.TransB)))
	}
	names := w.operands(n)
	for i, transposed := range []bool{t.TransA, t.TransB} {
		if transposed {
			names[i] = w.Op("Transpose", n.name+"/transposed", []string{names[i]}, permutation(swapLast(len(n.in[i].shape))))
		}
	}
	return w.Op("MatMul", n.name, names)
}

func init() {
	register(OpMatMul, row{min: 2, max: 2, broadcast: true, shape: matMulShape, grad: matMulGrad, naive: matMulNaive,
		macs:  func(n *Node) int { return n.shape.Size() * depth(n) },
		batch: matMulBatch, write: writeMatMul,
		fixtures: []string{"matmul", "matmul_transposed_a", "matmul_transposed_b", "matmul_transposed_both", "matmul_batched",
			"matmul_broadcast", "matmul_shared"}})
}
