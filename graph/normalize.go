package graph

import (
	"fmt"
	"math"

	"graft/onnx"
)

// Normalisations.
const (
	OpLayerNormalization Op = "LayerNormalization"
	OpBatchNormalization Op = "BatchNormalization"
	// Of layer normalisation, the gradients with respect to x, from x, scale and dy, and to scale, from x and dy; training
	// graphs have them.
	OpLayerNormGrad      Op = "LayerNormGrad"
	OpLayerNormScaleGrad Op = "LayerNormScaleGrad"
)

// NormAttrs holds the number added to the variance before the square root.
type NormAttrs struct{ Eps float64 }

// LayerNorm normalises each vector of the last axis, [D], by its own mean and (biased) variance, then multiplies by
// scale [D] and adds bias [D].
func (g *Graph) LayerNorm(x, scale, bias *Node, eps float64) *Node {
	return g.apply(OpLayerNormalization, NormAttrs{eps}, x, scale, bias)
}

// BatchNorm is batch normalisation at inference: scale·(x-mean)/√(variance+eps)+bias along axis 1 of x [N,C,…]; the
// other operands are [C].
func (g *Graph) BatchNorm(x, scale, bias, mean, variance *Node, eps float64) *Node {
	return g.apply(OpBatchNormalization, NormAttrs{eps}, x, scale, bias, mean, variance)
}

// BatchNormTraining normalises by the batch's own mean and (biased) variance, and has the running ones updated as
// PyTorch does: r ← (1-momentum)·r + momentum·batch, with the unbiased variance.
func (g *Graph) BatchNormTraining(x, scale, bias, runningMean, runningVariance *Node, eps, momentum float64) *Node {
	if x == nil || g.err != nil || len(x.shape) < 2 {
		return g.BatchNorm(x, scale, bias, runningMean, runningVariance, eps)
	}
	over := allButAxis1(x)
	centred := g.Sub(x, g.MeanKeep(x, over...))
	mean, variance := g.Mean(x, over...), g.Mean(g.Mul(centred, centred), over...)
	n := float64(x.shape.Size() / x.shape[1])
	unbiased := g.Scale(variance, n/max(n-1, 1))
	for _, r := range [][2]*Node{{runningMean, mean}, {runningVariance, unbiased}} {
		g.Update(r[0], g.Add(g.Scale(r[0], 1-momentum), g.Scale(r[1], momentum)))
	}
	return g.BatchNorm(x, scale, bias, mean, variance, eps)
}

func allButAxis1(x *Node) []int {
	over := []int{0}
	for i := 2; i < len(x.shape); i++ {
		over = append(over, i)
	}
	return over
}

// normShape wants vectors as long as the normalised axis of the first operand.
func normShape(ax int) func([]*Node, any) (Shape, Type, error) {
	return func(in []*Node, _ any) (Shape, Type, error) {
		s := in[0].shape
		a, err := axis(ax, len(s))
		if err != nil {
			return nil, 0, err
		}
		for i, v := range in[1:] {
			if !v.shape.Equal(Shape{s[a]}) {
				return nil, 0, fmt.Errorf("operand %d: wanted shape [%d], got %v", i+1, s[a], v.shape)
			}
		}
		return s, Float, wantTypes(in, Float)
	}
}

// normal is x̂ = (x-μ)/σ of each vector of the last axis, and 1/σ.
func normal(g *Graph, x *Node, eps float64) (normal, inverse *Node) {
	last := len(x.shape) - 1
	centred := g.Sub(x, g.MeanKeep(x, last))
	variance := g.MeanKeep(g.Mul(centred, centred), last)
	inverse = g.Div(g.Scalar(1), g.Sqrt(g.Add(variance, g.Scalar(eps))))
	return g.Mul(centred, inverse), inverse
}

func layerNormGrad(g *Graph, n, dy *Node) []*Node {
	x, scale := n.in[0], n.in[1]
	return []*Node{g.apply(OpLayerNormGrad, n.attrs, x, scale, dy), g.apply(OpLayerNormScaleGrad, n.attrs, x, dy), dy}
}

// With ĝ = dy·scale: dx = (ĝ - mean(ĝ) - x̂·mean(ĝ·x̂))/σ.
func layerNormGradFormula(g *Graph, in []*Node, attrs any) *Node {
	normal, inverse := normal(g, in[0], attrs.(NormAttrs).Eps)
	scaled, last := g.Mul(in[2], in[1]), len(in[0].shape)-1
	inner := g.Sub(g.Sub(scaled, g.MeanKeep(scaled, last)), g.Mul(normal, g.MeanKeep(g.Mul(scaled, normal), last)))
	return g.Mul(inner, inverse)
}

// dscale = Σ dy·x̂ over all vectors.
func layerNormScaleGradFormula(g *Graph, in []*Node, attrs any) *Node {
	normal, _ := normal(g, in[0], attrs.(NormAttrs).Eps)
	return unbroadcast(g, g.Mul(in[1], normal), Shape{in[0].Dim(-1)})
}

// With σ = √(v+eps), x̂ = (x-m)/σ: dx = dy·scale/σ, dscale = dy·x̂, dbias = dy, dm = -dx, dv = -dx·x̂/(2σ). That the
// mean and variance themselves depend on x in training is the walker's business: they are nodes.
func batchNormGrad(g *Graph, n, dy *Node) []*Node {
	x, c := n.in[0], n.shape[1]
	column := func(v *Node) *Node {
		s := Shape{c}
		for range len(n.shape) - 2 {
			s = append(s, 1)
		}
		return g.Reshape(v, s...)
	}
	toVector := func(v *Node) *Node { return g.Sum(v, allButAxis1(x)...) }
	inverse := g.Div(g.Scalar(1), g.Sqrt(g.Add(n.in[4], g.Scalar(n.attrs.(NormAttrs).Eps))))
	normal := g.Mul(g.Sub(x, column(n.in[3])), column(inverse))
	dBias, dScale := toVector(dy), toVector(g.Mul(dy, normal))
	factor := g.Mul(n.in[1], inverse)
	return []*Node{
		g.Mul(dy, column(factor)), dScale, dBias,
		g.Neg(g.Mul(dBias, factor)),
		g.Scale(g.Mul(g.Mul(dScale, factor), inverse), -0.5),
	}
}

func layerNormNaive(n *Node, in [][]float64) ([]float64, error) {
	d, eps := float64(n.Dim(-1)), n.attrs.(NormAttrs).Eps
	return eachRow(n, in[0], func(dst, src []float64) {
		mean, variance := 0.0, 0.0
		for _, x := range src {
			mean += x / d
		}
		for _, x := range src {
			variance += (x - mean) * (x - mean) / d
		}
		for i, x := range src {
			dst[i] = (x-mean)/math.Sqrt(variance+eps)*in[1][i] + in[2][i]
		}
	}), nil
}

func batchNormNaive(n *Node, in [][]float64) ([]float64, error) {
	plane, c, eps := n.shape[2:].Size(), n.shape[1], n.attrs.(NormAttrs).Eps
	out := make([]float64, len(in[0]))
	for i, x := range in[0] {
		k := i / plane % c
		out[i] = in[1][k]*(x-in[3][k])/math.Sqrt(in[4][k]+eps) + in[2][k]
	}
	return out, nil
}

// normBatch: statistics of the batch make a training graph.
func normBatch(w *Writer, n *Node) error {
	if err := batchFirstOperand(w, n); err != nil {
		return fmt.Errorf("%w: build the graph for inference", err)
	}
	return batchBeforeLast(w, n)
}

func epsilon(n *Node) onnx.Attr { return attr("epsilon", float32(n.attrs.(NormAttrs).Eps)) }

func init() {
	// The vectors' gradients have x's shape: their sums over the rows are left to the walker.
	register(OpLayerNormalization, row{min: 3, max: 3, broadcast: true, shape: normShape(-1), grad: layerNormGrad,
		naive: layerNormNaive, batch: normBatch, fixtures: []string{"layer_norm"},
		write: func(w *Writer, n *Node) string { return w.operator(n, attr("axis", int64(-1)), epsilon(n)) }})
	register(OpLayerNormGrad, row{min: 3, max: 3, naive: byFormula(layerNormGradFormula), fixtures: []string{"layer_norm"},
		shape: func(in []*Node, attrs any) (Shape, Type, error) {
			if !in[2].shape.Equal(in[0].shape) {
				return nil, 0, fmt.Errorf("gradient's shape: wanted %v, got %v", in[0].shape, in[2].shape)
			}
			return normShape(-1)(in[:2], attrs)
		}})
	register(OpLayerNormScaleGrad, row{min: 2, max: 2, naive: byFormula(layerNormScaleGradFormula), fixtures: []string{"layer_norm"},
		shape: func(in []*Node, _ any) (Shape, Type, error) {
			if !in[1].shape.Equal(in[0].shape) || len(in[0].shape) == 0 {
				return nil, 0, fmt.Errorf("gradient's shape: wanted %v, got %v", in[0].shape, in[1].shape)
			}
			return Shape{in[0].Dim(-1)}, Float, wantTypes(in, Float)
		}})
	register(OpBatchNormalization, row{min: 5, max: 5, shape: normShape(1), grad: batchNormGrad,
		naive: batchNormNaive, batch: normBatch, fixtures: []string{"batch_norm", "batch_norm_training", "batch_norm_conv"},
		write: func(w *Writer, n *Node) string { return w.operator(n, epsilon(n)) }})
}
