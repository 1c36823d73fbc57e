package extract

import (
	"context"

	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// task is one image to decode.
type task struct {
	b *batch
	i int
}

func newBatch(indices []int) *batch {
	b := &batch{indices: indices, slots: make([]slot, len(indices)), decoded: make(chan struct{}), inferred: make(chan struct{})}
	b.open.Store(int64(len(indices)))
	return b
}

// decode fills slots until there are no more tasks.
func (p *pipeline) decode(ctx context.Context, tasks <-chan task) {
	for t := range tasks {
		p.decodeOne(ctx, &t.b.slots[t.i], t.b.indices[t.i])
		if t.b.open.Add(-1) == 0 {
			close(t.b.decoded)
		}
	}
}

// decodeOne reads an image, prepares it, and makes the views of what the network would see.
func (p *pipeline) decodeOne(ctx context.Context, s *slot, index int) {
	im, err := p.c.Data.Image(ctx, index)
	if err != nil {
		s.err = err
		return
	}
	s.content = p.c.Data.Content(index, im)
	s.views, s.err = p.c.views(p.c.Backbone.Prepare(im), index)
}

// views are the image as it is, mirrored where Flip says so, and, of the train split,
// changed at random.
func (c *Config) views(im preprocess.Image, index int) ([]preprocess.Image, error) {
	views := []preprocess.Image{im}
	if c.Flip {
		views = append(views, im.Mirror())
	}
	if c.Data.Samples[index].Split != dataset.Train {
		return views, nil
	}
	for v := len(views); v < c.Views.Count; v++ {
		changed, err := c.Views.Augment.Image(im, c.Views.Seed, v, index)
		if err != nil {
			return nil, err
		}
		views = append(views, changed)
	}
	return views, nil
}

// buffers are the outputs of the batches between inference and disk: a fixed
// number, lent and taken back, so that nothing is allocated per batch.
type buffers struct {
	taps []store.Tap
	free chan [][][]float32 // by view and tap
}

func newBuffers(taps []store.Tap, rows, views, n int) *buffers {
	f := &buffers{taps: taps, free: make(chan [][][]float32, n)}
	for range n {
		set := make([][][]float32, views)
		for v := range set {
			for _, t := range taps {
				set[v] = append(set[v], make([]float32, rows*t.Dim))
			}
		}
		f.free <- set
	}
	return f
}

// lend gives b outputs for all of its images.
func (f *buffers) lend(ctx context.Context, b *batch) error {
	select {
	case b.feats = <-f.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cut sets the lengths of a view's outputs to what so many rows need, in place.
func (f *buffers) cut(view [][]float32, rows int) {
	for t := range view {
		view[t] = view[t][:rows*f.taps[t].Dim]
	}
}

// take gives b's outputs back.
func (f *buffers) take(b *batch) {
	f.free <- b.feats
	b.feats = nil
}
