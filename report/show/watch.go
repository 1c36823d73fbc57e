package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"graft/graph"
	"graft/graph/engine"
	"graft/preprocess"
)

// ErrNoEvidence is of models for which no evidence is known.
var ErrNoEvidence = errors.New("no class evidence")

// Watcher tells of one image after another where its class is recognised. The networks of the image shapes that it saw last
// are kept ready. It may be used by several goroutines, one after the other.
type Watcher struct {
	config Config
	mu     sync.Mutex
	ready  []*watched // those used last come first
}

// keptReady is how many networks a Watcher keeps: one for gray and one for coloured images.
const keptReady = 2

// watched is a network compiled for images of one shape.
type watched struct {
	look
	program *engine.Program
	chosen  *graph.Node // of the class
}

// NewWatcher is a Watcher of the configuration's model; its Image and Layers are not looked at.
func NewWatcher(c Config) *Watcher { return &Watcher{config: c} }

// Close frees the networks.
func (w *Watcher) Close() (err error) {
	for _, k := range w.ready {
		err = errors.Join(err, k.end())
	}
	w.ready = nil
	return err
}

// Evidence is where an image shows the class, the most probable one where the configuration names none, and the part of the image that the network sees: left, top,
// width, height, in pixels. Of models without it the error is ErrNoEvidence.
func (w *Watcher) Evidence(ctx context.Context, im preprocess.Image) (e *Evidence, seen [4]float64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, v, err := w.of(ctx, im)
	if err != nil {
		return nil, seen, err
	}
	if k.layer == nil {
		return nil, seen, fmt.Errorf("%w: %s", ErrNoEvidence, k.why)
	}
	k.scores, k.class = nil, 0
	p := k.program
	clear(p.Value(k.chosen))
	for i := len(v.views) - 1; i >= 0; i-- { // the image as it is last
		copy(p.Value(k.input), v.views[i])
		if err := p.Run(ctx); err != nil {
			return nil, seen, err
		}
		k.add(p.Value(k.logits))
	}
	if err := k.choose(w.config.Class); err != nil {
		return nil, seen, err
	}
	p.Value(k.chosen)[k.class] = 1
	if err := p.Run(ctx); err != nil {
		return nil, seen, err
	}
	a := k.layer.evidence(k.anatomy, p.Value(k.layer.node), p.Value(k.layer.gradient))
	return &Evidence{Layer: name(k.layer.node), Class: k.label(k.class), Rows: a.H, Columns: a.W, Values: a.V},
		[4]float64{v.part.X, v.part.Y, v.part.W, v.part.H}, nil
}

// of is the network for an image, kept or made, and the image as it takes it.
func (w *Watcher) of(ctx context.Context, im preprocess.Image) (*watched, view, error) {
	for i, k := range w.ready {
		v, err := k.see(im)
		if err != nil {
			return nil, v, err
		}
		if slices.Equal(v.shape, k.shape) {
			w.ready = append([]*watched{k}, slices.Delete(slices.Clone(w.ready), i, i+1)...)
			return k, v, nil
		}
	}
	k, err := w.open(ctx, im)
	if err != nil {
		return nil, view{}, err
	}
	w.ready = append([]*watched{k}, w.ready...)
	if last := len(w.ready) - 1; last >= keptReady {
		old := w.ready[last]
		w.ready = w.ready[:last]
		err = old.end()
	}
	return k, k.view, err
}

// open makes the network for images of one's shape.
func (w *Watcher) open(ctx context.Context, im preprocess.Image) (*watched, error) {
	n, err := open(ctx, w.config, im)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrNoEvidence, err)
	}
	k := &watched{look: look{network: n}}
	if err == nil {
		k.anatomy = dissect(n)
		k.chosen, err = k.wantEvidence()
	}
	if err == nil && k.layer != nil {
		k.program, err = engine.Compile(n.g, []*graph.Node{n.logits, k.layer.node, k.layer.gradient}, nil,
			engine.Options{Threads: w.config.Threads, Weights: engine.NewWeights()})
	}
	if err != nil {
		return nil, errors.Join(err, k.end())
	}
	return k, nil
}

// end closes the model's file.
func (k *watched) end() error {
	if k.network == nil || k.close == nil {
		return nil
	}
	return k.close()
}
