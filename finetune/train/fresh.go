package train

import (
	"context"
	"fmt"
	"slices"

	"graft/finetune/load"
	"graft/finetune/run"
	"graft/internal/parallel"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
	"graft/pretrained"
	"graft/pretrained/taps"
)

// fresh changes the images anew in each epoch, and has the frozen part run on them then: the trainer asks for a batch while
// the step before is under way, so that both sides work at once.
type fresh struct {
	ctx     context.Context // of the training that asks for batches
	data    *dataset.Dataset
	indices []int // of train, in the dataset
	changes augment.Pipeline
	seed    uint64
	frozen  *pretrained.Backbone
	words   []string // the cut's and the frozen taps' names; none: the cut is at the pixels
	sizes   []int
	pixels  []int // of the images, [C,H,W], where the cut is there
}

// freshRows reads which images train has.
func freshRows(ctx context.Context, d *dataset.Dataset, limit int) (rows run.Rows, err error) {
	indices, err := d.Select([]string{dataset.Train}, limit)
	if err != nil {
		return rows, err
	}
	if len(indices) == 0 {
		return rows, fmt.Errorf("dataset %s: split %s has no images", d.Path, dataset.Train)
	}
	contents, err := load.Images{Dataset: d, Limit: limit}.Contents(ctx, dataset.Train)
	if err != nil {
		return rows, err
	}
	rows.Add(d, indices, contents)
	rows.Groups = duplicate.Groups(contents)
	return rows, nil
}

func (f *fresh) Close() error { return f.frozen.Close() }

func (f *fresh) shape() []int {
	sum := 0
	for _, n := range f.sizes {
		sum += n
	}
	return []int{sum}
}

func (f *fresh) plain(x []float32, images []int, view int) error {
	return f.write(x, images, func(im preprocess.Image, _ int) (preprocess.Image, error) {
		if view == 1 {
			im = im.Mirror()
		}
		return im, nil
	})
}

func (f *fresh) changed(x []float32, images []int, epoch int) error {
	return f.write(x, images, func(im preprocess.Image, index int) (preprocess.Image, error) {
		return f.changes.Image(im, f.seed, epoch, index)
	})
}

// write brings images to what the tail begins with.
func (f *fresh) write(x []float32, images []int, change func(im preprocess.Image, index int) (preprocess.Image, error)) error {
	batch := make([]preprocess.Image, len(images))
	err := parallel.For(f.ctx, len(images), nil, func(i int) error {
		index := f.indices[images[i]]
		im, err := f.data.Image(f.ctx, index)
		if err == nil {
			batch[i], err = change(f.frozen.Prepare(im), index)
		}
		return err
	})
	if err != nil {
		return err
	}
	if f.words == nil {
		return f.raw(x, batch)
	}
	out := make([][]float32, len(f.words))
	for t, n := range f.sizes {
		out[t] = make([]float32, n*len(batch))
	}
	if err := f.frozen.Run(f.ctx, batch, f.words, out); err != nil {
		return err
	}
	for i := range batch {
		for t, n := range f.sizes {
			x = x[copy(x, out[t][i*n:(i+1)*n]):]
		}
	}
	return nil
}

// raw writes pixels as the network's input takes them.
func (f *fresh) raw(x []float32, batch []preprocess.Image) error {
	size, prepared := f.shape()[0], f.frozen.Preprocessing().Host
	for i, im := range batch {
		if !prepared && !slices.Equal([]int{im.C, im.H, im.W}, f.pixels) {
			im = load.FitImage(im, f.pixels[0], f.pixels[1])
		}
		f.frozen.Pixels(x[i*size:(i+1)*size], im)
	}
	return nil
}

// openFresh opens the frozen part, of which nothing is kept.
func (b *backbone) openFresh(ctx context.Context, words []string) (err error) {
	runtime := b.c.Runtime
	runtime.Throughput = false
	f := &fresh{ctx: ctx, data: b.data, indices: b.rows.Indices, changes: b.c.Augment, seed: b.c.Fit.Seed}
	f.changes.Mixup = 0
	b.inputs = f
	if b.network.word == "" { // the cut is at the pixels, and a session only prepares them
		f.pixels, f.sizes = b.network.shape, []int{b.network.shape[0] * b.network.shape[1] * b.network.shape[2]}
		f.frozen, err = b.network.file.Open(ctx, pretrained.Options{Runtime: runtime, Foreign: b.c.Foreign})
		return err
	}
	if f.frozen, err = b.network.before.Open(ctx, pretrained.Options{Runtime: runtime, Foreign: foreignFor(b.c.Foreign, words), Taps: words}); err != nil {
		return err
	}
	f.words = taps.Split(words)
	for _, w := range f.words {
		f.sizes = append(f.sizes, f.frozen.Dim(w))
	}
	return nil
}

// imageShape is that of the first image, prepared, which all of a dataset's have, but for photos: they are brought to the
// network's input, as all images are for a network that graft did not export.
func (b *backbone) imageShape(ctx context.Context) ([]int, error) {
	side := b.network.spec.Size
	if b.network.spec.Host {
		return []int{b.network.spec.Channels, side, side}, nil
	}
	if b.data.Photos() {
		return []int{3, side, side}, nil
	}
	im, err := b.data.Image(ctx, b.rows.Indices[0])
	im = b.network.spec.Cut(im)
	return []int{im.C, im.H, im.W}, err
}
