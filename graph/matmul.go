package graph

import (
	"fmt"
	"slices"
)

// OpMatMul is the (batched) matrix product.
const OpMatMul Op = "MatMul"

// MatMulAttrs tells which operands are taken with their last two axes swapped.
type MatMulAttrs struct{ TransA, TransB bool }

// MatMul multiplies matrices [M,K]·[K,N] → [M,N]; leading axes are batches and broadcast.
func (g *Graph) MatMul(a, b *Node) *Node { return g.MatMulT(a, b, false, false) }

// MatMulT is MatMul with either operand transposed first: transA wants a as [K,M], transB b as [N,K].
func (g *Graph) MatMulT(a, b *Node, transA, transB bool) *Node {
	attrs := MatMulAttrs{transA, transB}
	if g.err != nil || a == nil || b == nil || len(b.shape) != 2 || len(a.shape) < 3 || transA {
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
	batch, err := Broadcast(a[:len(a)-2], b[:len(b)-2])
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

func init() {
	register(OpMatMul, spec{onnx: "MatMul", min: 2, max: 2, broadcast: true, shape: matMulShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			a, b, t := n.in[0], n.in[1], n.attrs.(MatMulAttrs)
			mm := func(x, y *Node, tx, ty bool) *Node { return g.apply(OpMatMul, MatMulAttrs{tx, ty}, x, y) }
			// With A' = op(A), B' = op(B), Y = A'B': dA' = dY·B'ᵀ and dB' = A'ᵀ·dY; a transposed operand's
			// gradient is the transpose of that.
			da, db := mm(dy, b, false, !t.TransB), mm(a, dy, !t.TransA, false)
			if t.TransA {
				da = mm(b, dy, t.TransB, true)
			}
			if t.TransB {
				db = mm(dy, a, true, t.TransA)
			}
			return []*Node{da, db}
		}})
}
