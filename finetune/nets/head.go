package nets

import (
	"cmp"
	"fmt"
	"slices"

	"graft/graph"
)

// Head classifies the features of a frozen backbone: one linear layer, or with Hidden > 0 dropout, linear, GELU, dropout,
// linear. Weights: head.weight [K,D] and head.bias [K]; with a hidden layer of H also hidden.weight [H,D] and hidden.bias
// [H], and head.weight is [K,H]; with Standardize also standardize.mean [D] and standardize.std [D].
//
// With Members M > 1 it is an ensemble of M such networks side by side, which share only the features' dropout and
// head.bias: hidden.weight is [M·H,D], head.weight [K,M·H]. Each learns for itself, and their logits are averaged.
type Head struct {
	Features  int     `json:"features"`                                                        // D
	Outputs   int     `json:"outputs"`                                                         // K, the classes
	Hidden    int     `json:"hidden,omitempty" usage:"width of a hidden layer: <N> (0: none)"` // H
	DropoutIn float64 `json:"dropout_in,omitempty" usage:"<P> of the features"`
	Dropout   float64 `json:"dropout,omitempty" usage:"<P> of the hidden layer"`
	Members   int     `json:"members,omitempty" usage:"networks of their own, logits averaged: <N>"` // M, 0 as 1
	// Standardize subtracts the features' mean and divides by their deviation. Both start as 0 and 1; whoever trains
	// the head measures them on the training data.
	Standardize bool `json:"standardize,omitempty" usage:"bring each feature to mean 0 and variance 1"`
}

// The statistics of a standardising head, for whoever measures them.
const (
	FeatureMean = "standardize.mean"
	FeatureStd  = "standardize.std"
)

// Kind is "head".
func (h Head) Kind() string { return KindHead }

// InputShape is [D].
func (h Head) InputShape() []int { return []int{h.Features} }

// Classes is the number of logits.
func (h Head) Classes() int { return h.Outputs }

// Check tells what is wrong with the options.
func (h Head) Check() error {
	err := cmp.Or(checkSpans(KindHead, span{"features", h.Features, 1, maxClasses}, span{"outputs", h.Outputs, 2, maxClasses},
		span{"hidden", h.Hidden, 0, maxClasses}, span{"members", h.Members, 0, maxRepeat}),
		checkDropout(KindHead, "dropout_in", h.DropoutIn), checkDropout(KindHead, "dropout", h.Dropout))
	if err == nil && h.Members > 1 && h.Hidden == 0 {
		err = fmt.Errorf("head: %d members without a hidden layer would all learn the same; give them one (hidden)", h.Members)
	}
	if err != nil {
		return err
	}
	return checkBuilds(h)
}

// Weights lists the head's weights as PyTorch's Linear starts them.
func (h Head) Weights() []Weight {
	var list []Weight
	if h.Standardize {
		list = append(list, Weight{Name: FeatureMean, Shape: []int{h.Features}, Role: Statistic, draw: all(0)},
			Weight{Name: FeatureStd, Shape: []int{h.Features}, Role: Statistic, draw: all(1)})
	}
	if h.Hidden == 0 {
		return slices.Concat(list, affine("head", h.Outputs, h.Features))
	}
	width := h.members() * h.Hidden
	draw := torchUniform(h.Hidden) // each member starts as if it were alone
	return slices.Concat(list, affine("hidden", width, h.Features), []Weight{
		{Name: "head.weight", Shape: []int{h.Outputs, width}, draw: draw}, {Name: "head.bias", Shape: []int{h.Outputs}, draw: draw}})
}

func (h Head) members() int { return max(h.Members, 1) }

// Forward builds logits [N,K] from features [N,D]; for training members, [M·N,K], the first member's N rows first.
func (h Head) Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	p := pass{g, w, m}
	if h.Standardize {
		x = p.features(x)
	}
	x = p.dropout("features", x, h.DropoutIn)
	if h.Hidden > 0 {
		x = p.hidden(x, h.Dropout)
	}
	defer g.Scope("head")()
	switch {
	case h.members() == 1:
		return p.linear("head", x)
	case m.Train:
		return p.apart(x, h.members(), h.Hidden)
	}
	mean := p.Mul(p.MatMulT(x, p.w("head.weight"), false, true), p.Scalar(1/float64(h.Members)))
	return p.Add(mean, p.w("head.bias"))
}

// apart has each member see its own columns of x [N,M·H] alone: [M·N,K].
func (p pass) apart(x *graph.Node, members, hidden int) *graph.Node {
	var logits []*graph.Node
	for from := 0; from < members*hidden; from += hidden {
		own := p.Slice(p.w("head.weight"), 1, from, from+hidden)
		logits = append(logits, p.MatMulT(p.Slice(x, 1, from, from+hidden), own, false, true))
	}
	return p.Add(p.Concat(0, logits...), p.w("head.bias"))
}

func (p pass) features(x *graph.Node) *graph.Node {
	defer p.Scope("standardize")()
	return p.Div(p.Sub(x, p.w(FeatureMean)), p.w(FeatureStd))
}

func (p pass) hidden(x *graph.Node, dropout float64) *graph.Node {
	defer p.Scope("hidden")()
	return p.dropout("hidden", p.Gelu(p.linear("hidden", x)), dropout)
}
