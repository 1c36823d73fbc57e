package graph

import (
	"fmt"
	"math"
)

// CrossEntropyOptions vary [Graph.CrossEntropy].
type CrossEntropyOptions struct {
	Smoothing    float64 // label smoothing s, 0 ≤ s < 1: targets become (1-s)·t + s/K
	ClassWeights *Node   // [K], or nil
}

// CrossEntropy is the scalar loss -Σ w·t'·logSoftmax(logits) / Σ w·t over logits and targets [N,K], t' being the smoothed
// targets. Rows of targets are class probabilities (one 1 for a hard label) or weighted votes; a row of zeros is
// padding and counts for nothing, as long as one row does. On hard labels it is PyTorch's cross_entropy, class weights
// and smoothing included.
func (g *Graph) CrossEntropy(logits, targets *Node, o CrossEntropyOptions) *Node {
	if g.err != nil {
		return g.fail(g.err)
	}
	if logits == nil || targets == nil || len(logits.shape) != 2 || !logits.shape.Equal(targets.shape) {
		return g.fail(fmt.Errorf("%scross entropy: wanted logits and targets of one shape [N,K], got %v and %v", g.scope, logits, targets))
	}
	if !(o.Smoothing >= 0 && o.Smoothing < 1) {
		return g.fail(fmt.Errorf("%scross entropy: wanted a smoothing of at least 0 and below 1, got %v", g.scope, o.Smoothing))
	}
	t, weighted := targets, targets
	if o.Smoothing > 0 {
		share := g.Scale(g.SumKeep(targets, 1), o.Smoothing/float64(logits.Dim(1)))
		t = g.Add(g.Scale(targets, 1-o.Smoothing), share)
	}
	if w := o.ClassWeights; w != nil {
		t, weighted = g.Mul(t, w), g.Mul(targets, w)
	}
	return g.Neg(g.Div(g.Sum(g.Mul(t, g.LogSoftmax(logits))), g.Sum(weighted)))
}

// Attention is softmax(q·kᵀ/√d + mask)·v over the last two axes: q [...,T,d], k [...,S,d], v [...,S,e], mask (or nil)
// broadcasting to [...,T,S]. It is PyTorch's scaled_dot_product_attention.
func (g *Graph) Attention(q, k, v, mask *Node) *Node {
	if g.err != nil || q == nil {
		return g.MatMul(q, v)
	}
	if q.Dim(-1) == 0 {
		return g.fail(fmt.Errorf("%sattention: wanted queries [...,T,d], got %v", g.scope, q))
	}
	scores := g.Scale(g.MatMulT(q, k, false, true), 1/math.Sqrt(float64(q.Dim(-1))))
	if mask != nil {
		scores = g.Add(scores, mask)
	}
	return g.MatMul(g.Softmax(scores), v)
}
