package show

import (
	"context"
	"strings"

	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/engine"
)

// linear tells heads whose logits are sums of what the features contribute.
func (h *headPart) linear() bool {
	net, ok := h.net.(nets.Head)
	return ok && net.Hidden == 0
}

// contributions is what each tap's features add to each class's logit, [class][tap], the rest last: gradient times input,
// of standardised features where the head standardises, as the mean over the image's views. Of a linear head the sum is
// exact, and the rest is its bias; of others it is the first term of the logit's series, and the rest what it leaves out.
func (h *headPart) contributions(ctx context.Context, views [][]float32, logits []float32) ([][]float32, error) {
	g := graph.New()
	x := g.Input("x", h.features.Shape()...)
	w, err := declareHead(g, h)
	if err != nil {
		return nil, err
	}
	out := h.net.Forward(g, x, w, nets.Mode{})
	read := layer{node: x}
	for _, n := range g.Nodes() {
		if n.Op() == graph.OpDiv && strings.HasPrefix(n.Name(), "standardize/") {
			read.node = n
		}
	}
	chosen, err := target(g, out, []*layer{&read})
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(g, []*graph.Node{read.node, read.gradient}, nil, engine.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	sums := make([][]float32, len(logits))
	for class := range sums {
		clear(p.Value(chosen))
		p.Value(chosen)[class] = 1
		sums[class] = make([]float32, len(h.taps)+1)
		for _, features := range views {
			copy(p.Value(x), features)
			if err := p.Run(ctx); err != nil {
				return nil, err
			}
			h.add(sums[class], p.Value(read.node), p.Value(read.gradient), float32(len(views)))
		}
		rest := logits[class]
		for _, v := range sums[class] {
			rest -= v
		}
		sums[class][len(h.taps)] = rest
	}
	return sums, nil
}

// add takes one view's products into the mean.
func (h *headPart) add(sums, x, d []float32, views float32) {
	at := 0
	for tap, dim := range h.dims {
		sum := 0.0
		for i := at; i < at+dim; i++ {
			sum += float64(x[i]) * float64(d[i])
		}
		sums[tap] += float32(sum) / views
		at += dim
	}
}
