package fit

import (
	"context"
	"math/rand/v2"
	"sync"

	"graft/graph"
	"graft/internal/splitmix"
)

// batch is one step's inputs; rows is how many of them are examples, the rest being padding.
type batch struct {
	x, targets []float32
	rows       int
	err        error
}

// feeder prepares batches beside the step that uses the one before.
type feeder struct {
	data    Data
	size    int // examples of a batch
	classes int
	order   []int
	rows    []int // of the batch being made
	free    chan *batch
	ready   chan *batch
}

// buffers is how many batches there are: one in use, one ready, one in the making.
const buffers = 3

func newFeeder(d Data, examples, classes int) *feeder {
	f := &feeder{data: d, size: examples, classes: classes, order: make([]int, d.Len()), rows: make([]int, examples),
		free: make(chan *batch, buffers), ready: make(chan *batch, buffers)}
	for range buffers {
		f.free <- &batch{x: make([]float32, examples*graph.Shape(d.Shape()).Size()), targets: make([]float32, examples*classes)}
	}
	return f
}

// steps is the number of batches of an epoch.
func (f *feeder) steps() int { return (len(f.order) + f.size - 1) / f.size }

// shuffle gives the order of an epoch, a function of seed and epoch alone, so that a resumed training has it too.
func (f *feeder) shuffle(seed uint64, epoch int) {
	for i := range f.order {
		f.order[i] = i
	}
	r := rand.New(rand.NewPCG(seed, splitmix.Next(uint64(epoch)+0x6f72646572))) // "order"
	r.Shuffle(len(f.order), func(i, j int) { f.order[i], f.order[j] = f.order[j], f.order[i] })
}

// epoch calls step with the batches in their order.
func (f *feeder) epoch(ctx context.Context, seed uint64, epoch int, step func(*batch) error) error {
	f.shuffle(seed, epoch)
	ctx, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { f.produce(ctx, epoch) })
	defer func() {
		stop()
		wait.Wait()
		for len(f.ready) > 0 {
			f.free <- <-f.ready
		}
	}()
	for range f.steps() {
		var b *batch
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b = <-f.ready:
		}
		err := b.err
		if err == nil {
			err = step(b)
		}
		f.free <- b
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *feeder) produce(ctx context.Context, epoch int) {
	for from := 0; from < len(f.order); from += f.size {
		select {
		case <-ctx.Done():
			return
		case b := <-f.free:
			f.fill(b, epoch, from)
			f.ready <- b // has room for all batches there are
			if b.err != nil {
				return
			}
		}
	}
}

// fill makes the batch that starts at a place of the order. One that the examples do not fill is padded with the first
// ones of the epoch, without targets: the loss is the mean over the real rows, and batch norm sees real images.
func (f *feeder) fill(b *batch, epoch, from int) {
	b.rows = min(f.size, len(f.order)-from)
	copy(f.rows, f.order[from:from+b.rows])
	for i := b.rows; i < f.size; i++ {
		f.rows[i] = f.order[(i-b.rows)%len(f.order)]
	}
	b.err = f.data.Batch(b.x, b.targets, epoch, f.rows)
	clear(b.targets[b.rows*f.classes:])
}
