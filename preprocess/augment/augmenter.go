package augment

import (
	"fmt"
	"runtime"

	"graft/internal/parallel"
)

// Source writes image index, float32 [C,H,W] in 0…1, into dst. It is called by several goroutines at once.
type Source func(dst []float32, index int)

// Augmenter applies a pipeline to batches of images of one shape. One goroutine at a time may use it.
type Augmenter struct {
	pipeline Pipeline
	seed     uint64
	c, h, w  int // of the source
	oh, ow   int // of the result
	workers  []*worker
	mixed    []float32 // a copy of the batch
}

// worker holds what one thread needs.
type worker struct {
	stream *stream
	image  []float32
}

// New prepares a pipeline for images [c,h,w]; threads 0 means all cores.
func New(p Pipeline, c, h, w int, seed uint64, threads int) (*Augmenter, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if c < 1 || h < 1 || w < 1 || h > maxSide || w > maxSide || threads < 0 {
		return nil, fmt.Errorf("augment: images [%d,%d,%d] on %d threads, want sizes of 1 to %d and no negative number of threads", c, h, w, threads, maxSide)
	}
	oh, ow, err := p.Size(h, w)
	if err != nil {
		return nil, err
	}
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	a := &Augmenter{pipeline: p, seed: seed, c: c, h: h, w: w, oh: oh, ow: ow}
	for range threads {
		a.workers = append(a.workers, &worker{newStream(), make([]float32, c*h*w)})
	}
	return a, nil
}

// Shape is the result's [C,H,W].
func (a *Augmenter) Shape() []int { return []int{a.c, a.oh, a.ow} }

// Images writes the images of the given indices, changed as it befits the epoch, into dst, one after the other in
// [Augmenter.Shape]. dst may be longer; the rest is left alone.
func (a *Augmenter) Images(dst []float32, epoch int, indices []int, source Source) error {
	return a.each(batch{dst: dst, indices: indices, source: source, epoch: epoch})
}

// Plain writes the images as they are judged: unchanged, or cut out of the middle where the pipeline crops.
func (a *Augmenter) Plain(dst []float32, indices []int, source Source) error {
	return a.each(batch{dst: dst, indices: indices, source: source, plain: true})
}

// batch is what a call asks for. It is passed by value, and with one worker no function is made for it: a training step,
// which has one, shall not allocate.
type batch struct {
	dst     []float32
	indices []int
	source  Source
	epoch   int
	plain   bool
}

// rows writes rows lo to hi of a batch.
func (a *Augmenter) rows(w *worker, b batch, lo, hi int) {
	size := a.c * a.oh * a.ow
	for r := lo; r < hi; r++ {
		out := b.dst[r*size : (r+1)*size]
		b.source(w.image, b.indices[r])
		if b.plain {
			a.cut(out, w.image)
			continue
		}
		w.stream.start(a.seed, forImage, b.epoch, b.indices[r])
		a.pipeline.change(out, w.image, a.c, a.h, a.w, a.oh, a.ow, w.stream)
	}
}

// cut takes the middle of an image.
func (a *Augmenter) cut(out, image []float32) {
	top, left := (a.h-a.oh)/2, (a.w-a.ow)/2
	for k := range a.c {
		for y := range a.oh {
			copy(out[(k*a.oh+y)*a.ow:][:a.ow], image[(k*a.h+top+y)*a.w+left:])
		}
	}
}

// change changes one image [c,h,w] to [c,oh,ow].
func (p Pipeline) change(out, image []float32, c, h, w, oh, ow int, s *stream) {
	m := p.draw(s, h, w, oh, ow)
	for k := range c {
		m.warp(out[k*oh*ow:][:oh*ow], image[k*h*w:][:h*w], h, w, oh, ow, p.ZeroPad)
	}
	p.tone(out, s)
	p.cutout(out, c, oh, ow, s)
}

// each spreads a batch's rows over the workers; what a row becomes does not depend on its worker.
func (a *Augmenter) each(b batch) error {
	n, want := len(b.indices), len(b.indices)*a.c*a.oh*a.ow
	if len(b.dst) < want {
		return fmt.Errorf("augment: %d images %v want %d values, got room for %d", n, a.Shape(), want, len(b.dst))
	}
	if len(a.workers) == 1 {
		a.rows(a.workers[0], b, 0, n)
		return nil
	}
	parallel.Parts(n, len(a.workers), func(i, from, to int) { a.rows(a.workers[i], b, from, to) })
	return nil
}

// Mix mixes each of a batch's images x, as Images wrote them, with another one of the batch, and their targets [n,classes]
// likewise: λ·own + (1-λ)·other. λ is drawn from Beta(α,α), or 1-λ if that is larger, so that every image has its turn as
// the main one. Without mixup in the pipeline nothing happens.
func (a *Augmenter) Mix(x, targets []float32, classes, epoch int, indices []int) error {
	n, size := len(indices), a.c*a.oh*a.ow
	if classes < 1 || len(x) < n*size || len(targets) < n*classes {
		return fmt.Errorf("augment: mixup of %d images %v with %d classes, got %d pixels and %d targets", n, a.Shape(), classes, len(x), len(targets))
	}
	if a.pipeline.Mixup == 0 || n < 2 {
		return nil
	}
	a.mixed = append(append(a.mixed[:0], x[:n*size]...), targets[:n*classes]...)
	pixels, labels := a.mixed[:n*size], a.mixed[n*size:]
	s := a.workers[0].stream
	for r, index := range indices {
		s.start(a.seed, forMixup, epoch, index)
		share := s.beta(a.pipeline.Mixup)
		own, other := float32(max(share, 1-share)), (r+1+s.rand.IntN(n-1))%n
		blend(x[r*size:(r+1)*size], pixels[other*size:], own)
		blend(targets[r*classes:(r+1)*classes], labels[other*classes:], own)
	}
	return nil
}

// blend is own·v + (1-own)·other.
func blend(v, other []float32, own float32) {
	for i, o := range other[:len(v)] {
		v[i] = own*v[i] + (1-own)*o
	}
}
