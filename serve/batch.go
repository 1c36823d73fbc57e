package serve

import (
	"context"
	"sync"
	"time"

	"graft/preprocess"
)

// batcher lets images of many requests go through the network together.
type batcher[T any] struct {
	waiting chan *waiter[T] // full only of faces, of which a photograph may have many: see Server.queue
	most    int
	wait    time.Duration
	run     func(context.Context, []preprocess.Image) ([]T, error)
	figures *figures
}

// waiter is an image that waits for its answer.
type waiter[T any] struct {
	ctx    context.Context // of its request: once that has ended, nobody wants the answer
	image  preprocess.Image
	answer chan answer[T] // takes one without waiting
}

type answer[T any] struct {
	value T
	err   error
}

// batchesAtOnce is how many batches are under way: while one is in the network, the next is gathered, and fills it when the
// first one's last part does not.
const batchesAtOnce = 2

// newBatcher begins to run what is asked; it ends with ctx, for which one waits by working.
func newBatcher[T any](ctx context.Context, working *sync.WaitGroup, l Limits, f *figures, run func(context.Context, []preprocess.Image) ([]T, error)) *batcher[T] {
	b := &batcher[T]{waiting: make(chan *waiter[T], l.Queue), most: l.Batch, wait: l.Wait, run: run, figures: f}
	for range batchesAtOnce {
		working.Go(func() { b.work(ctx) })
	}
	return b
}

// ask runs images that have been through Prepare; each holds a place in the queue.
func (b *batcher[T]) ask(ctx context.Context, images []preprocess.Image) ([]T, error) {
	list := make([]*waiter[T], len(images))
	for i, im := range images {
		list[i] = &waiter[T]{ctx, im, make(chan answer[T], 1)}
		select {
		case b.waiting <- list[i]:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out := make([]T, len(images))
	for i, w := range list {
		select {
		case a := <-w.answer:
			if a.err != nil {
				return nil, a.err
			}
			out[i] = a.value
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, nil
}

func (b *batcher[T]) work(ctx context.Context) {
	for {
		select {
		case first := <-b.waiting:
			b.answer(ctx, b.gather(first))
		case <-ctx.Done():
			return
		}
	}
}

// gather waits a moment for more images than the first one.
func (b *batcher[T]) gather(first *waiter[T]) []*waiter[T] {
	batch, timer := []*waiter[T]{first}, time.NewTimer(b.wait)
	defer timer.Stop()
	for len(batch) < b.most {
		select {
		case w := <-b.waiting:
			batch = append(batch, w)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// answer runs a batch, without those that nobody waits for any more.
func (b *batcher[T]) answer(ctx context.Context, batch []*waiter[T]) {
	var images []preprocess.Image
	var wanted []*waiter[T]
	for _, w := range batch {
		if w.ctx.Err() == nil {
			wanted, images = append(wanted, w), append(images, w.image)
		}
	}
	if len(images) == 0 {
		return
	}
	b.figures.batches.Observe(float64(len(images)))
	values, err := b.run(ctx, images)
	for i, w := range wanted {
		a := answer[T]{err: err}
		if err == nil {
			a.value = values[i]
		}
		w.answer <- a
	}
}
