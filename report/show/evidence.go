package show

import (
	"fmt"

	"graft/graph"
	"graft/report/raster"
)

// Evidence is where in the image a class is recognised: gradient times activation at one layer.
//
// Of convolutions it is Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) at the last layer of feature maps A: α_c is
// the mean over all places of the gradient of the class's logit by A_c, and the evidence max(0, Σ_c α_c·A_c). Of
// transformers it is the same of the patches' tokens as the last block's attention reads them, each token being a place
// (Gildenblat's pytorch-grad-cam, for vision transformers): behind that block most patches are read no more.
type Evidence struct {
	Layer   string    `json:"layer"`
	Class   string    `json:"class"`
	Rows    int       `json:"rows"`
	Columns int       `json:"columns"`
	Values  []float32 `json:"values"` // row-major, 0 or more
}

// layer is where evidence is read.
type layer struct {
	node     *graph.Node
	gradient *graph.Node // of the target's logit
	tokens   bool        // [N,T,D], else maps [N,C,H,W]
}

// evidenceLayer picks the layer; the logits depend on it. nil: there is none, as where the last layers attend within
// windows, whose tokens' places the graph does not tell.
func (a *anatomy) evidenceLayer(logits *graph.Node) *layer {
	needed := reach(logits)
	for i := len(a.entries) - 1; i >= 0; i-- {
		if n := a.normed(i); needed[n] && len(n.Shape()) == 3 && n.Dim(1) == a.tokens {
			return &layer{node: n, tokens: true}
		}
	}
	var last *graph.Node
	for _, s := range a.convolutions {
		if s.conv != nil && needed[s.conv] {
			last = s.conv
		}
	}
	if last == nil || a.lastAttention > last.ID() {
		return nil
	}
	found := a.activated(last)
	for _, c := range a.cuts { // past residual sums and what joins branches
		if c.ID() > found.ID() && len(c.Shape()) == 4 && c.Dim(2) == last.Dim(2) && c.Dim(3) == last.Dim(3) && needed[c] && !isPool(c) {
			found = c
		}
	}
	return &layer{node: found}
}

// evidence computes the map from a layer's values and gradients, of the batch's first image.
func (l *layer) evidence(a *anatomy, x, d []float32) raster.Array {
	if l.tokens {
		t, width := l.node.Dim(1)-a.prefix, l.node.Dim(2)
		skip := a.prefix * width
		return weighed(x[skip:], d[skip:], t, width, 1, width, a.grid[0], a.grid[1])
	}
	s := l.node.Shape()
	places := s[2] * s[3]
	return weighed(x, d, places, s[1], places, 1, s[2], s[3])
}

// weighed is max(0, Σ_c α_c·x_c), α_c being the mean of d_c over the places. Channel c of place p lies at c·ofChannel +
// p·ofPlace.
func weighed(x, d []float32, places, channels, ofChannel, ofPlace, h, w int) raster.Array {
	sum := make([]float64, places)
	for c := range channels {
		alpha := 0.0
		for p := range places {
			alpha += float64(d[c*ofChannel+p*ofPlace])
		}
		alpha /= float64(places)
		for p := range places {
			sum[p] += alpha * float64(x[c*ofChannel+p*ofPlace])
		}
	}
	out := raster.Array{H: h, W: w, V: make([]float32, places)}
	for p, v := range sum {
		out.V[p] = float32(max(v, 0))
	}
	return out
}

// shares are an array's numbers as parts of the greatest of them.
func shares(a raster.Array) raster.Array {
	_, high := raster.Range(a)
	out := raster.Array{H: a.H, W: a.W, V: make([]float32, len(a.V))}
	for i, v := range a.V {
		if high > 0 {
			out.V[i] = v / float32(high)
		}
	}
	return out
}

// target adds what the gradients are of: the logit of the class that an input [1,K] of zeros and one 1 chooses.
func target(g *graph.Graph, logits *graph.Node, at []*layer) (*graph.Node, error) {
	chosen := g.Input("show.class", logits.Shape()...)
	nodes := make([]*graph.Node, len(at))
	for i, l := range at {
		nodes[i] = l.node
	}
	gradients, err := graph.Gradient(g.Sum(g.Mul(logits, chosen)), nodes)
	if err != nil {
		return nil, fmt.Errorf("class evidence: %w", err)
	}
	for i, l := range at {
		l.gradient = gradients[i]
	}
	return chosen, nil
}
