package nets

import (
	"hash/fnv"
	"slices"

	"graft/graph"
	"graft/internal/splitmix"
)

// PyTorch's constants of its normalisations.
const (
	normEps      = 1e-5
	normMomentum = 0.1 // of running statistics
)

// pass is a forward pass under construction. Its methods are layers; each opens a scope of its name, by which [Layers]
// makes its rows.
type pass struct {
	*graph.Graph
	w    Lookup
	mode Mode
}

// linear is x·Wᵀ + b over the last axis: x […,in], weight [out,in], bias [out].
func (p pass) linear(name string, x *graph.Node) *graph.Node {
	return p.Add(p.MatMulT(x, p.w(name+".weight"), false, true), p.w(name+".bias"))
}

// Loss is the mean cross-entropy of a forward pass's logits against targets [N,K], a distribution a row. Logits [M·N,K] of
// a [Head]'s members are each held against the same targets.
func Loss(g *graph.Graph, logits, targets *graph.Node, o graph.CrossEntropyOptions) *graph.Node {
	if logits != nil && targets != nil && len(logits.Shape()) > 0 && len(targets.Shape()) > 0 {
		if n := logits.Dim(0) / targets.Dim(0); n > 1 {
			targets = g.Concat(0, slices.Repeat([]*graph.Node{targets}, n)...)
		}
	}
	return g.CrossEntropy(logits, targets, o)
}

// conv is a convolution with a square kernel; padding keeps the size of 3×3 and 1×1 kernels at stride 1. Its bias is
// left out where the checkpoint has none.
func (p pass) conv(name string, x *graph.Node, stride, pad int) *graph.Node {
	return p.Conv(x, p.w(name+".weight"), p.w(name+".bias"), graph.ConvAttrs{Stride: [2]int{stride, stride}, Pad: [2]int{pad, pad}})
}

// batchNorm normalises each channel of x [N,C,…].
func (p pass) batchNorm(name string, x *graph.Node) *graph.Node {
	scale, bias, mean, variance := p.w(name+".weight"), p.w(name+".bias"), p.w(name+".running_mean"), p.w(name+".running_var")
	if p.mode.Train {
		return p.BatchNormTraining(x, scale, bias, mean, variance, normEps, normMomentum)
	}
	return p.BatchNorm(x, scale, bias, mean, variance, normEps)
}

// layerNorm normalises the last axis.
func (p pass) layerNorm(name string, x *graph.Node) *graph.Node {
	return p.LayerNorm(x, p.w(name+".weight"), p.w(name+".bias"), normEps)
}

// dropout zeroes elements in training; place tells apart the masks within the model.
func (p pass) dropout(place string, x *graph.Node, probability float64) *graph.Node {
	if !p.mode.Train || probability == 0 {
		return x
	}
	h := fnv.New64a()
	h.Write([]byte(place))
	return p.Dropout(x, p.mode.Step, probability, h.Sum64()^(p.mode.Seed*splitmix.Gamma))
}

// standardize brings each image of x [N,C,H,W] to mean 0 and variance 1, so that lighting does not matter. A flat
// image stays near 0.
func (p pass) standardize(x *graph.Node) *graph.Node {
	defer p.Scope("standardize")()
	centred := p.Sub(x, p.MeanKeep(x, 1, 2, 3))
	variance := p.MeanKeep(p.Mul(centred, centred), 1, 2, 3)
	return p.Div(centred, p.Sqrt(p.Add(variance, p.Scalar(1e-4))))
}

// named builds a layer within a scope.
func (p pass) named(name string, layer func() *graph.Node) *graph.Node {
	defer p.Scope(name)()
	return layer()
}
