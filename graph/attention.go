package graph

import (
	"fmt"
	"slices"
)

// OpAttentionGrad is the gradient of softmax(scale·Q·Kᵀ)·V with respect to one of the three, which training graphs have in
// place of the gradients of products and softmax: these would keep the weights [...,T,S] of all heads.
const OpAttentionGrad Op = "AttentionGrad"

// AttentionAttrs says whose gradient is meant, and how Q [...,T,d], K [...,S,d] and V [...,S,w] lie.
type AttentionAttrs struct {
	Of     int // 0 for Q, 1 for K, 2 for V
	Scale  float64
	Turned [3]bool // which of the three have their last two axes swapped
}

// attention is softmax(scale·Q·Kᵀ)·V as it stands in a graph.
type attention struct {
	operands [3]*Node
	AttentionAttrs
}

// attention finds that n is one whose inner values nothing else reads, else nil.
func (w *walker) attention(n *Node) *attention {
	if n.op != OpMatMul || n.attrs.(MatMulAttrs).TransA || len(n.shape) < 3 || n.in[0].op != OpSoftmax || !w.once(n.in[0]) {
		return nil
	}
	a := &attention{AttentionAttrs: AttentionAttrs{Scale: 1}}
	scores := w.unscaled(n.in[0].in[0], a)
	if scores.op != OpMatMul || !w.once(scores) {
		return nil
	}
	t := scores.attrs.(MatMulAttrs)
	a.Turned = [3]bool{t.TransA, !t.TransB, n.attrs.(MatMulAttrs).TransB}
	a.operands = [3]*Node{w.unscaled(scores.in[0], a), w.unscaled(scores.in[1], a), n.in[1]}
	for _, x := range a.operands {
		if len(x.shape) != len(n.shape) || !x.shape[:len(x.shape)-2].Equal(n.shape[:len(n.shape)-2]) {
			return nil
		}
	}
	return a
}

// once tells whether one node alone reads a value, and no one asks for its gradient.
func (w *walker) once(n *Node) bool { return w.reads[n.id] == 1 }

// unscaled goes past multiplications and divisions by a number whose results nothing else reads.
func (w *walker) unscaled(n *Node, a *attention) *Node {
	if (n.op != OpMul && n.op != OpDiv) || !w.once(n) {
		return n
	}
	for i, s := range n.in {
		x := n.in[1-i]
		switch {
		case s.op != OpConstant || s.shape.Size() != 1 || !x.shape.Equal(n.shape):
			continue
		case n.op == OpMul:
			a.Scale *= s.value[0]
		case i == 1:
			a.Scale /= s.value[0]
		default:
			continue // a number divided by x
		}
		return w.unscaled(x, a)
	}
	return n
}

// differentiate gives the operands their gradients from dy, that of the result.
func (w *walker) differentiate(a *attention, dy *Node) error {
	for i, x := range a.operands {
		attrs := a.AttentionAttrs
		attrs.Of = i
		if w.needed[x.id] {
			if err := w.accumulate(x, w.g.apply(OpAttentionGrad, attrs, a.operands[0], a.operands[1], a.operands[2], dy), false); err != nil {
				return err
			}
		}
	}
	return nil
}

func attentionGradShape(in []*Node, attrs any) (Shape, Type, error) {
	a, batch := attrs.(AttentionAttrs), in[3].shape[:max(0, len(in[3].shape)-2)]
	var rows, columns [3]int
	for i, x := range in[:3] {
		if len(x.shape) != len(batch)+2 || !x.shape[:len(batch)].Equal(batch) {
			return nil, 0, fmt.Errorf("operand %d: wanted matrices %v, got shape %v", i, batch, x.shape)
		}
		if rows[i], columns[i] = x.Dim(-2), x.Dim(-1); a.Turned[i] {
			rows[i], columns[i] = columns[i], rows[i]
		}
	}
	if rows[1] != rows[2] || columns[0] != columns[1] || rows[0] != in[3].Dim(-2) || columns[2] != in[3].Dim(-1) {
		return nil, 0, fmt.Errorf("queries, keys, values and result do not fit: %v", in)
	}
	return slices.Clone(in[a.Of].shape), Float, wantTypes(in, Float)
}

// With P = softmax(scale·Q·Kᵀ), dP = dY·Vᵀ and dS = scale·P·(dP - Σ dP·P): dQ = dS·K, dK = dSᵀ·Q, dV = Pᵀ·dY.
func attentionGradFormula(g *Graph, in []*Node, attrs any) *Node {
	a := attrs.(AttentionAttrs)
	for i, turned := range a.Turned {
		if turned {
			in[i] = g.Transpose(in[i])
		}
	}
	p := g.Softmax(g.Scale(g.MatMulT(in[0], in[1], false, true), a.Scale))
	dp := g.MatMulT(in[3], in[2], false, true)
	ds := g.Scale(g.Mul(p, g.Sub(dp, g.SumKeep(g.Mul(dp, p), -1))), a.Scale)
	d := [3]*Node{g.MatMul(ds, in[1]), g.MatMulT(ds, in[0], true, false), g.MatMulT(p, in[3], true, false)}[a.Of]
	if a.Turned[a.Of] {
		d = g.Transpose(d)
	}
	return d
}

func init() {
	register(OpAttentionGrad, row{min: 4, max: 4, shape: attentionGradShape, naive: byFormula(attentionGradFormula), fixtures: []string{"attention"}})
}
