package extract

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"graft/preprocess"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
)

// How far each stage may run ahead of the next, in batches, beside one for each
// inference at once: with less, inferences wait for the slowest of them.
const (
	decodedAhead = 2
	writtenAhead = 2
)

// underWay is how many batches have buffers for their features: those that are
// inferred, as many that wait for a slower one before them, and those at the writer.
func (c *Config) underWay() int { return 2*c.streams + writtenAhead + 1 }

// pipeline is one run: decode → infer → write.
type pipeline struct {
	c        *Config
	w        *store.Writer
	indices  []int // selected samples
	taps     []store.Tap
	names    []string
	progress func(done, total int64)

	resumed, made, total int // samples of the part
}

func newPipeline(c *Config, w *store.Writer, indices []int, progress func(done, total int64)) *pipeline {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	m := w.Manifest()
	p := &pipeline{c: c, w: w, indices: indices, taps: m.Taps, progress: progress}
	for _, t := range m.Taps {
		p.names = append(p.names, t.Name)
	}
	for _, s := range w.Finished() {
		p.resumed += s.Count
	}
	p.total = p.resumed
	for _, r := range w.Missing() {
		p.total += r[1]
	}
	return p
}

// batch is images that go through the backbone together. They are of one shard.
type batch struct {
	first, count int // the shard's samples
	last         bool
	indices      []int // in the dataset
	slots        []slot
	decoded      chan struct{} // closed when all slots are filled
	inferred     chan struct{} // closed when the features are there, or err
	err          error         // which the writer tells in its turn: of two errors always the first batch's
	open         atomic.Int64  // slots still to be filled

	rows  []store.Row
	bad   []store.BadRow
	lost  []int         // those of bad that may only be out of reach
	feats [][][]float32 // by view and tap
}

// slot is one image of a batch.
type slot struct {
	content duplicate.Content
	views   []preprocess.Image
	err     error
}

// run makes every missing shard.
func (p *pipeline) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan *batch, p.c.streams+decodedAhead)
	tasks := make(chan task)
	ready := make(chan *batch)
	free := newBuffers(p.taps, p.c.Batch, p.c.viewCount(), p.c.underWay())
	results := make(chan *batch, p.c.underWay())
	g.Go(func() error {
		defer close(batches)
		defer close(tasks)
		return p.plan(ctx, batches, tasks)
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error { p.decode(ctx, tasks); return nil })
	}
	g.Go(func() error {
		defer close(ready)
		defer close(results)
		return dispatch(ctx, batches, ready, results, free)
	})
	for range p.c.streams {
		g.Go(func() error { return p.infer(ctx, ready, free) })
	}
	g.Go(func() error { return p.write(ctx, results, free) })
	return g.Wait()
}

// plan cuts missing shards into batches and hands out their images for decoding.
func (p *pipeline) plan(ctx context.Context, batches chan<- *batch, tasks chan<- task) error {
	for _, r := range p.w.Missing() {
		for lo := 0; lo < r[1]; lo += p.c.Batch {
			hi := min(lo+p.c.Batch, r[1])
			b := newBatch(p.indices[r[0]+lo : r[0]+hi])
			b.first, b.count, b.last = r[0], r[1], hi == r[1]
			if err := send(ctx, batches, b); err != nil {
				return err
			}
			for i := range b.slots {
				if err := send(ctx, tasks, task{b, i}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dispatch hands batches to whoever infers next, and to the writer in their order.
// Buffers are lent here, in that order too: were they lent by those that infer,
// later batches could take all of them and wait for an earlier one to be written.
func dispatch(ctx context.Context, batches <-chan *batch, ready, results chan<- *batch, free *buffers) error {
	for b := range batches {
		if err := free.lend(ctx, b); err != nil {
			return err
		}
		if err := send(ctx, results, b); err != nil {
			return err
		}
		if err := send(ctx, ready, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// infer runs batches until there are no more; several do so beside each other.
func (p *pipeline) infer(ctx context.Context, ready <-chan *batch, free *buffers) error {
	for b := range ready {
		if err := wait(ctx, b.decoded); err != nil {
			return err
		}
		b.err = p.inferOne(ctx, b, free)
		b.slots = nil // pixels are not needed any more
		close(b.inferred)
	}
	return ctx.Err()
}

func (p *pipeline) inferOne(ctx context.Context, b *batch, free *buffers) error {
	views, err := p.collect(b)
	if err != nil {
		return err
	}
	for v, images := range views {
		free.cut(b.feats[v], len(images))
		if err := p.c.known.run(ctx, p.c.Backbone, v, b.rows, images, p.names, b.feats[v]); err != nil {
			return err
		}
	}
	return nil
}

// collect takes the images that decoded, by view, and notes the others as bad or fails
// on the batch's first.
func (p *pipeline) collect(b *batch) ([][]preprocess.Image, error) {
	views := make([][]preprocess.Image, p.c.viewCount())
	for i, s := range b.slots {
		sample := p.c.Data.Samples[b.indices[i]]
		if s.err != nil && !p.c.tolerates(s.err) {
			return nil, s.err
		}
		if s.err != nil {
			b.bad = append(b.bad, store.BadRow{
				Index: b.indices[i], ID: sample.ID, Split: sample.Split, Label: sample.Label, Reason: reason(s.err),
			})
			if unreachable(s.err) {
				b.lost = append(b.lost, b.indices[i])
			}
			continue
		}
		for v, im := range s.views {
			views[v] = append(views[v], im)
		}
		b.rows = append(b.rows, store.Row{
			Index: b.indices[i], ID: sample.ID, Split: sample.Split,
			Label: sample.Label, LabelName: p.c.Data.Classes[sample.Label], Content: s.content,
		})
	}
	return views, nil
}

// write appends results to their shards, and commits each shard with its last batch.
func (p *pipeline) write(ctx context.Context, results <-chan *batch, free *buffers) (err error) {
	var shard *store.ShardWriter
	var seen shardTally
	defer func() {
		if shard != nil {
			shard.Abort()
		}
	}()
	total := int64(p.total)
	p.progress(int64(p.resumed), total)
	for b := range results {
		if err := wait(ctx, b.inferred); err != nil {
			return err
		}
		if b.err != nil {
			return b.err
		}
		if shard == nil {
			if shard, err = p.w.Shard(b.first, b.count); err != nil {
				return err
			}
			seen = shardTally{}
		}
		seen.add(b)
		if err := shard.Append(b.rows, b.feats...); err != nil {
			return err
		}
		for _, bad := range b.bad {
			shard.Drop(bad)
		}
		free.take(b)
		if b.last {
			if err := p.refuseMissing(ctx, &seen); err != nil {
				return err
			}
			if err := shard.Commit(); err != nil {
				return err
			}
			shard = nil
		}
		p.made += len(b.indices)
		p.progress(int64(p.resumed+p.made), total)
	}
	return ctx.Err()
}

func (p *pipeline) summary(state store.State, d time.Duration) Summary {
	m := p.w.Manifest()
	s := Summary{
		Store: p.c.Out, Part: p.c.Part.String(), Resumed: p.resumed, Redone: p.w.Damaged(), Taps: m.Taps, Bad: []store.BadRow{},
		Batch: p.c.Batch, Streams: p.c.streams, State: state,
		Provider: m.Backbone.Provider, Seconds: d.Seconds(), ImagesPerSecond: float64(p.made) / d.Seconds(),
	}
	for _, r := range p.w.Finished() {
		s.Rows += r.Rows
		s.Bad = append(s.Bad, r.Bad...)
	}
	return s
}

// reason is a bad image's own, else the innermost message: those around it name
// the sample and the dataset's path, which may differ between equal runs.
func reason(err error) string {
	var bad *preprocess.BadImageError
	if errors.As(err, &bad) {
		return bad.Reason
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// wait waits for done. What is done when ctx ends counts as done, so that the
// writer keeps what there is.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	default:
		return ctx.Err()
	}
}

func send[T any](ctx context.Context, c chan<- T, v T) error {
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
