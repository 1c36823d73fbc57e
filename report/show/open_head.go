package show

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/finetune/load"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/graph"
	"graft/onnx"
	"graft/preprocess"
	"graft/pretrained"
)

// openHead is the run of a head, or of a tuned backbone: the backbone's file with the weights that were learned, and the
// head behind it.
func openHead(ctx context.Context, r *run.Run, c Config, im preprocess.Image) (*network, error) {
	f, err := load.Backbone(ctx, r, c.Backbone)
	if err != nil {
		return nil, err
	}
	foreign, err := model.Foreign(r, c.Foreign)
	if err != nil {
		return nil, err
	}
	m, err := onnx.Open(f.Path)
	if err != nil {
		return nil, err
	}
	n := &network{g: graph.New(), kind: r.Config.Kind, close: m.Close, labels: r.Config.Classes, heat: r.Config.SoftmaxTemperature(), notes: r.Config.Notes}
	if err := model.Tune(r, m); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return n, n.joinHead(r, f, m, foreign, im)
}

// joinHead builds the head on the backbone's taps.
func (n *network) joinHead(r *run.Run, f *pretrained.File, m *onnx.Model, foreign *preprocess.Spec, im preprocess.Image) error {
	h := &headPart{taps: r.Config.Head.Taps}
	h.net, h.weights = model.Head(r)
	names := slices.Clone(h.taps)
	if foreign != nil {
		names = []string{foreign.Output}
	}
	part, err := n.raise(f, m, foreign, im, names)
	if err != nil {
		return err
	}
	var features []*graph.Node
	for i, x := range part.Outputs {
		if foreign != nil {
			x = pooled(n.g, x, foreign.Pool)
		}
		if want := (graph.Shape{1, r.Config.Backbone.Dims[h.taps[i]]}); !x.Shape().Equal(want) {
			return fmt.Errorf("backbone %s: tap %s has shape %v, the run wants %v", f.Path, h.taps[i], x.Shape(), want)
		}
		h.dims, features = append(h.dims, x.Dim(1)), append(features, x)
	}
	n.end = deepest(features)
	h.features = features[0]
	if len(features) > 1 {
		h.features = n.g.Concat(1, features...)
	}
	defer n.g.Scope("head")()
	w, err := declareHead(n.g, h)
	if err != nil {
		return err
	}
	n.logits, n.head = h.net.Forward(n.g, h.features, w, nets.Mode{}), h
	if r.Config.Head.UseFlip {
		plain := n.see
		n.see = func(im preprocess.Image) (view, error) {
			v, err := plain(im)
			if err == nil {
				v.views = append(v.views, mirrored(v.views[0], v.shape[len(v.shape)-1]))
			}
			return v, err
		}
		n.views = append(n.views, mirrored(n.views[0], n.input.Dim(-1)))
	}
	return n.g.Err()
}

// declareHead makes the head's weights states of a graph in which a backbone's may have the same names.
func declareHead(g *graph.Graph, h *headPart) (nets.Lookup, error) {
	nodes := map[string]*graph.Node{}
	for _, w := range h.net.Weights() {
		if h.weights[w.Name] == nil {
			return nil, fmt.Errorf("the head's weight %q is missing", w.Name)
		}
		nodes[w.Name] = g.State(nets.HeadPrefix+w.Name, h.weights[w.Name], w.Shape...)
	}
	return func(name string) *graph.Node { return nodes[name] }, g.Err()
}

// pooled makes one row of a foreign model's output, as package pretrained does.
func pooled(g *graph.Graph, x *graph.Node, pool string) *graph.Node {
	switch {
	case pool == pretrained.PoolCLS:
		return g.Reshape(g.Slice(x, 1, 0, 1), x.Dim(0), -1)
	case pool == pretrained.PoolMean && len(x.Shape()) == 4:
		return g.Mean(x, 2, 3)
	case pool == pretrained.PoolMean:
		return g.Mean(x, 1)
	}
	return x
}

// mirrored is an image [C,H,W] turned left to right.
func mirrored(x []float32, width int) []float32 {
	out := slices.Clone(x)
	for line := range slices.Chunk(out, width) {
		slices.Reverse(line)
	}
	return out
}
