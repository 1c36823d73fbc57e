package extract

import (
	"context"

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

// decodeOne reads an image, prepares it, and mirrors what the network would see.
func (p *pipeline) decodeOne(ctx context.Context, s *slot, index int) {
	im, err := p.c.Data.Image(ctx, index)
	if err != nil {
		s.err = err
		return
	}
	s.content = p.c.Data.Content(index, im)
	s.image = p.c.Backbone.Prepare(im)
	if p.c.Flip {
		s.mirror = s.image.Mirror()
	}
}

// buffers are the outputs of the batches between inference and disk: a fixed
// number, lent and taken back, so that nothing is allocated per batch.
type buffers struct {
	taps []store.Tap
	flip bool
	free chan [2][][]float32
}

func newBuffers(taps []store.Tap, rows int, flip bool, n int) *buffers {
	f := &buffers{taps: taps, flip: flip, free: make(chan [2][][]float32, n)}
	for range n {
		f.free <- [2][][]float32{f.make(rows, true), f.make(rows, flip)}
	}
	return f
}

func (f *buffers) make(rows int, want bool) [][]float32 {
	if !want {
		return nil
	}
	var out [][]float32
	for _, t := range f.taps {
		out = append(out, make([]float32, rows*t.Dim))
	}
	return out
}

// lend gives b outputs for all of its images.
func (f *buffers) lend(ctx context.Context, b *batch) error {
	select {
	case pair := <-f.free:
		b.feats, b.flips = pair[0], pair[1]
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cut sets the outputs' lengths to what b's rows need, in place.
func (f *buffers) cut(b *batch) {
	for _, bufs := range [][][]float32{b.feats, b.flips} {
		for t := range bufs {
			bufs[t] = bufs[t][:len(b.rows)*f.taps[t].Dim]
		}
	}
}

// take gives b's outputs back.
func (f *buffers) take(b *batch) {
	f.free <- [2][][]float32{b.feats, b.flips}
	b.feats, b.flips = nil, nil
}
