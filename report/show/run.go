package show

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graft/finetune/fit"
	"graft/graph"
	"graft/graph/engine"
)

// look is a network's values for one image.
type look struct {
	*network
	*anatomy
	values map[*graph.Node][]float32

	layer  *layer    // of evidence; nil: none
	class  int       // of evidence
	scores []float32 // the logits, nil of a model without classes
	probs  []float32
	shares [][]float32 // of a head: of each class's logit, by tap; see contributions
	why    string      // why there is no evidence
}

// nodes are those whose values are drawn.
func (a *anatomy) wanted(n *network) []*graph.Node {
	list := []*graph.Node{a.seen}
	for _, s := range a.convolutions {
		list = append(list, s.node)
		if s.conv != nil {
			list = append(list, s.conv.Inputs()[1])
		}
	}
	list = slices.Concat(list, a.attention, a.pooling, a.entries, a.exits)
	if patches, positions, sum := a.embedding(); sum != nil {
		list = append(list, patches, positions, sum)
	}
	if n.logits != nil {
		list = append(list, n.logits)
	}
	if n.head != nil {
		list = append(list, n.head.features)
	}
	if c := n.g.Lookup("C"); n.patches[0] > 0 && c != nil {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *graph.Node) int { return a.ID() - b.ID() })
	return slices.Compact(list)
}

// run computes everything for the image: the logits over all of its views, what is drawn of the image as it is.
func (n *network) run(ctx context.Context, class string, threads int) (*look, error) {
	l := &look{network: n, anatomy: dissect(n), values: map[*graph.Node][]float32{}}
	outputs := l.wanted(n)
	chosen, err := l.wantEvidence()
	if err != nil {
		return nil, err
	}
	if l.layer != nil {
		outputs = append(outputs, l.layer.node, l.layer.gradient)
	}
	p, err := engine.Compile(n.g, outputs, nil, engine.Options{Threads: threads, Weights: engine.NewWeights()})
	if err != nil {
		return nil, err
	}
	var features [][]float32
	for i := len(n.views) - 1; i >= 0; i-- { // the image as it is last
		copy(p.Value(n.input), n.views[i])
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
		if n.logits != nil {
			l.add(p.Value(n.logits))
		}
		if n.head != nil {
			features = append(features, slices.Clone(p.Value(n.head.features)))
		}
	}
	if err := l.choose(class); err != nil {
		return nil, err
	}
	if chosen != nil {
		p.Value(chosen)[l.class] = 1
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
	}
	for _, x := range outputs {
		l.values[x] = slices.Clone(p.Value(x))
	}
	if n.head != nil {
		l.shares, err = n.head.contributions(ctx, features, l.scores)
	}
	return l, err
}

// wantEvidence adds the gradient of the layer where evidence is read.
func (l *look) wantEvidence() (chosen *graph.Node, err error) {
	if l.logits == nil {
		l.why = "the file says of none of its outputs that it holds classes; --class NUMBER takes the only one for such"
		return nil, nil
	}
	at := l.evidenceLayer(l.logits)
	if at == nil {
		l.why = "the network's last layers are neither convolutions nor attention between all patches"
		return nil, nil
	}
	if l.rounds(at.node) {
		l.why = "behind that layer the file rounds its numbers, through which no gradient flows; take the file in float32"
		return nil, nil
	}
	if chosen, err = target(l.g, l.logits, []*layer{at}); err == nil {
		l.layer = at
	}
	return chosen, err
}

// rounds tells whether what a node decides is rounded on the way to the logits, as in int8 files.
func (l *look) rounds(from *graph.Node) bool {
	needed, decided := reach(l.logits), map[*graph.Node]bool{from: true}
	for _, n := range l.g.Nodes() {
		for _, x := range n.Inputs() {
			decided[n] = decided[n] || decided[x]
		}
		if n.Op() == graph.OpRound && decided[n] && needed[n] {
			return true
		}
	}
	return false
}

// add takes the logits of one view into the mean.
func (l *look) add(logits []float32) {
	if l.scores == nil {
		l.scores = make([]float32, len(logits))
	}
	for i, v := range logits {
		l.scores[i] += v / float32(len(l.views))
	}
}

// choose finds the class by its name or number; none means the most probable one.
func (l *look) choose(class string) error {
	if l.logits == nil {
		if class != "" {
			return fmt.Errorf("class %q: the model has no output that can hold classes", class)
		}
		return nil
	}
	l.probs = fit.Probabilities(fit.Cool(l.scores, l.heat), len(l.scores))
	for i, p := range l.probs {
		if p > l.probs[l.class] {
			l.class = i
		}
	}
	if class == "" {
		return nil
	}
	if l.class = slices.Index(l.labels, class); l.class >= 0 {
		return nil
	}
	i, err := strconv.Atoi(class)
	if err != nil || i < 0 || i >= len(l.probs) {
		return fmt.Errorf("class %q: want one of %s, or a number from 0 to %d", class, strings.Join(l.labels, ", "), len(l.probs)-1)
	}
	l.class = i
	return nil
}

// label is a class's name.
func (n *network) label(class int) string {
	if class < len(n.labels) {
		return n.labels[class]
	}
	return fmt.Sprintf("class %d", class)
}
