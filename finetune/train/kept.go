package train

import (
	"context"
	"errors"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/graph"
	"graft/internal/splitmix"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// kept is what a store keeps of the train split for a tail: the tensor at the cut, and the taps that the frozen part gives.
type kept struct {
	readers []*store.Tokens // the cut's first
	sizes   []int           // of a row of each
	rows    []int           // of the train split, by their numbers in the store
}

// openKept opens the taps of a finished store; words are the cut's and then the frozen taps'.
func openKept(s *store.Store, words []string) (k *kept, err error) {
	k = &kept{}
	for i, r := range s.Rows() {
		if r.Split == dataset.Train {
			k.rows = append(k.rows, i)
		}
	}
	for _, w := range words {
		r, err := s.Tokens(w)
		if err != nil {
			return nil, errors.Join(err, k.Close())
		}
		k.readers, k.sizes = append(k.readers, r), append(k.sizes, graph.Shape(r.Shape()).Size())
	}
	return k, nil
}

// trainRows are those of the train split.
func trainRows(s *store.Store) (rows run.Rows) {
	for _, r := range s.Rows() {
		if r.Split != dataset.Train {
			continue
		}
		rows.Labels, rows.IDs, rows.Indices = append(rows.Labels, r.Label), append(rows.IDs, r.ID), append(rows.Indices, r.Index)
		if s.Grouped() {
			rows.Groups, rows.Contents = append(rows.Groups, r.Group), append(rows.Contents, r.Content)
		}
	}
	return rows
}

// Close closes the readers.
func (k *kept) Close() (err error) {
	for _, r := range k.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}

// shape is one image's, [S+F].
func (k *kept) shape() []int {
	sum := 0
	for _, n := range k.sizes {
		sum += n
	}
	return []int{sum}
}

// read writes a view of an image, by its number in train.
func (k *kept) read(x []float32, view, image int) error {
	for i, r := range k.readers {
		if err := r.Read(x[:k.sizes[i]], k.rows[image], view); err != nil {
			return err
		}
		x = x[k.sizes[i]:]
	}
	return nil
}

// judged are some images as they are judged: as they are, and with mirror also mirrored.
type judged struct {
	*kept
	images []int
	views  []int
}

func (k *kept) judged(images []int, views ...int) judged { return judged{k, images, views} }

func (j judged) Len() int     { return len(j.images) }
func (j judged) Shape() []int { return j.shape() }
func (j judged) Views() int   { return len(j.views) }

func (j judged) View(x []float32, view int, rows []int) error {
	size := j.shape()[0]
	for i, r := range rows {
		if err := j.read(x[i*size:(i+1)*size], j.views[view], j.images[r]); err != nil {
			return err
		}
	}
	return nil
}

// drawn are images to learn from: every epoch draws one of the views of each, and mixes it with another image of the batch.
type drawn struct {
	*kept
	images  []int
	views   int
	targets []float32 // [all of train,classes]
	classes int
	seed    uint64
	mixer   *augment.Augmenter
}

func (k *kept) drawn(images []int, views int, targets []float32, classes int, mixup float64, seed uint64) (fit.Data, error) {
	mixer, err := augment.New(augment.Pipeline{Mixup: mixup}, k.shape()[0], 1, 1, seed, 1)
	return &drawn{k, images, views, targets, classes, seed, mixer}, err
}

func (d *drawn) Len() int     { return len(d.images) }
func (d *drawn) Shape() []int { return d.shape() }

func (d *drawn) Batch(x, targets []float32, epoch int, rows []int) error {
	size, k, indices := d.shape()[0], d.classes, make([]int, len(rows))
	for i, r := range rows {
		indices[i] = d.images[r]
		view := splitmix.Next(splitmix.Next(d.seed+uint64(epoch))+uint64(indices[i])) % uint64(d.views)
		if err := d.read(x[i*size:(i+1)*size], int(view), indices[i]); err != nil {
			return err
		}
		copy(targets[i*k:(i+1)*k], d.targets[indices[i]*k:])
	}
	return d.mixer.Mix(x, targets, k, epoch, indices)
}

// features computes the taps of some images as the network that was not trained yet gives them: [len(images),F], and with
// mirror those of the mirrored images behind them.
func (k *kept) features(ctx context.Context, t nets.Tail, images []int, mirror bool, threads int, o Observer) ([]float32, error) {
	e, err := fit.NewEvaluator(nets.TailFeatures{Tail: t}, judgedBatch, threads)
	if err != nil {
		return nil, err
	}
	start, err := t.Start(nil, 0)
	if err == nil {
		err = e.Use(start)
	}
	views := []int{0}
	if mirror {
		views = append(views, 1)
	}
	var x []float32
	for _, view := range views {
		if err != nil {
			return nil, err
		}
		var part []float32
		part, err = e.Logits(ctx, k.judged(images, view), o.Progress.Of("the taps of the head's first fit"))
		x = append(x, part...)
	}
	return x, err
}
