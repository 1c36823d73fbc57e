package train

import (
	"context"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/preprocess/augment"
)

// inputs are what a tail learns from and is watched on: images of train by their numbers there.
type inputs interface {
	// shape is one image's, [S+F].
	shape() []int
	// plain writes images as they are, view 0, or mirrored, view 1.
	plain(x []float32, images []int, view int) error
	// changed writes them as an epoch draws them.
	changed(x []float32, images []int, epoch int) error
	Close() error
}

// judged are some images as they are judged: as they are, and with a second view also mirrored.
type judged struct {
	inputs
	images []int
	views  []int
}

func (j judged) Len() int     { return len(j.images) }
func (j judged) Shape() []int { return j.shape() }
func (j judged) Views() int   { return len(j.views) }

func (j judged) View(x []float32, view int, rows []int) error {
	return j.plain(x, pick(j.images, rows), j.views[view])
}

// drawn are images to learn from: as an epoch draws them, and mixed with others of the batch.
type drawn struct {
	inputs
	images  []int
	targets []float32 // [all of train,classes]
	classes int
	mixer   *augment.Augmenter
}

func newDrawn(in inputs, images []int, targets []float32, classes int, mixup float64, seed uint64) (fit.Data, error) {
	mixer, err := augment.New(augment.Pipeline{Mixup: mixup}, in.shape()[0], 1, 1, seed, 1)
	return &drawn{in, images, targets, classes, mixer}, err
}

func (d *drawn) Len() int     { return len(d.images) }
func (d *drawn) Shape() []int { return d.shape() }

func (d *drawn) Batch(x, targets []float32, epoch int, rows []int) error {
	images, k := pick(d.images, rows), d.classes
	if err := d.changed(x, images, epoch); err != nil {
		return err
	}
	for i, image := range images {
		copy(targets[i*k:(i+1)*k], d.targets[image*k:])
	}
	return d.mixer.Mix(x, targets, k, epoch, images)
}

// tapsOf computes the taps of some images as the network that was not trained yet gives them: [len(images),F], one view
// after the other.
func tapsOf(ctx context.Context, in inputs, t nets.Tail, images, views []int, threads int, o Observer) ([]float32, error) {
	e, err := fit.NewEvaluator(nets.TailFeatures{Tail: t}, judgedBatch, threads)
	if err != nil {
		return nil, err
	}
	start, err := t.Start(nil, 0)
	if err == nil {
		err = e.Use(start)
	}
	var x []float32
	for _, view := range views {
		if err != nil {
			return nil, err
		}
		var part []float32
		part, err = e.Logits(ctx, judged{in, images, []int{view}}, o.Progress.Of("the taps of the head's first fit (images)"))
		x = append(x, part...)
	}
	return x, err
}
