package fit

import (
	"fmt"
	"slices"

	"graft/graph"
	"graft/preprocess"
	"graft/preprocess/augment"
)

// Pixels holds images [C,side,side] of one shape in memory: as bytes, or resized once as float32.
type Pixels struct {
	n, c, from, side int
	bytes            []uint8
	floats           []float32
}

// NewPixels makes room for n images [c,from,from] that are kept as [c,side,side], resized with antialiasing.
func NewPixels(n, c, from, side int) *Pixels {
	p := &Pixels{n: n, c: c, from: from, side: side}
	if from == side {
		p.bytes = make([]uint8, n*c*side*side)
	} else {
		p.floats = make([]float32, n*c*side*side)
	}
	return p
}

// Set keeps image i. It may be called for several images at once.
func (p *Pixels) Set(i int, im preprocess.Image) error {
	if im.C != p.c || im.H != p.from || im.W != p.from {
		return fmt.Errorf("image %d: shape [%d,%d,%d], want [%d,%d,%d]", i, im.C, im.H, im.W, p.c, p.from, p.from)
	}
	if p.bytes != nil {
		copy(p.bytes[i*len(im.Pix):], im.Pix)
		return nil
	}
	preprocess.ResizeAntialias(p.floats[i*p.size():(i+1)*p.size()], unit(make([]float32, len(im.Pix)), im.Pix), p.c, p.from, p.from, p.side, p.side)
	return nil
}

func (p *Pixels) size() int { return p.c * p.side * p.side }

// read is an augment.Source: image i in 0…1.
func (p *Pixels) read(dst []float32, i int) {
	if p.floats != nil {
		copy(dst, p.floats[i*p.size():(i+1)*p.size()])
		return
	}
	unit(dst, p.bytes[i*p.size():(i+1)*p.size()])
}

func unit(dst []float32, pix []uint8) []float32 {
	for i, v := range pix {
		dst[i] = float32(v) / 255
	}
	return dst
}

// images are images to learn from, changed at random by a pipeline.
type images struct {
	pixels    *Pixels
	rows      []int
	targets   []float32 // [pixels,classes]
	classes   int
	augmenter *augment.Augmenter
	read      augment.Source
	indices   []int // of a batch
}

// NewImages takes the given rows of pixels, with targets [pixels,classes] of all rows. What the pipeline does to an
// image depends on seed, epoch and the image's row.
func NewImages(p *Pixels, rows []int, targets []float32, classes int, pipeline augment.Pipeline, seed uint64) (Data, error) {
	if err := checkTargets(targets, p.n, classes); err != nil {
		return nil, err
	}
	// One thread: batches are prepared beside the training step, which has the others.
	a, err := augment.New(pipeline, p.c, p.side, p.side, seed, 1)
	if err != nil {
		return nil, err
	}
	return &images{pixels: p, rows: rows, targets: targets, classes: classes, augmenter: a, read: p.read}, nil
}

// Len is the number of rows taken.
func (d *images) Len() int { return len(d.rows) }

// Shape is [C,H,W] after the pipeline's crop.
func (d *images) Shape() []int { return d.augmenter.Shape() }

// Batch writes augmented images and their targets, mixed where the pipeline has mixup.
func (d *images) Batch(x, targets []float32, epoch int, rows []int) error {
	d.indices = d.indices[:0]
	for i, r := range rows {
		index := d.rows[r]
		d.indices = append(d.indices, index)
		copy(targets[i*d.classes:(i+1)*d.classes], d.targets[index*d.classes:])
	}
	if err := d.augmenter.Images(x, epoch, d.indices, d.read); err != nil {
		return err
	}
	return d.augmenter.Mix(x, targets, d.classes, epoch, d.indices)
}

// Plain is the given rows of pixels, nil for all, as they are judged: cut to side out of the middle, and with mirror also
// mirrored left to right.
func (p *Pixels) Plain(rows []int, side int, mirror bool) (Examples, error) {
	if rows == nil {
		for i := range p.n {
			rows = append(rows, i)
		}
	}
	var crop augment.Pipeline
	if side != p.side {
		crop.Crop = side
	}
	a, err := augment.New(crop, p.c, p.side, p.side, 0, 1)
	if err != nil {
		return nil, err
	}
	return &plain{pixels: p, rows: rows, augmenter: a, mirror: mirror}, nil
}

type plain struct {
	pixels    *Pixels
	rows      []int
	augmenter *augment.Augmenter
	mirror    bool
	indices   []int
}

func (d *plain) Len() int     { return len(d.rows) }
func (d *plain) Shape() []int { return d.augmenter.Shape() }

func (d *plain) Views() int {
	if d.mirror {
		return 2
	}
	return 1
}

func (d *plain) View(x []float32, view int, rows []int) error {
	d.indices = d.indices[:0]
	for _, r := range rows {
		d.indices = append(d.indices, d.rows[r])
	}
	if err := d.augmenter.Plain(x, d.indices, d.pixels.read); err != nil || view == 0 {
		return err
	}
	shape := graph.Shape(d.Shape())
	for line := range slices.Chunk(x[:len(rows)*shape.Size()], shape[2]) {
		slices.Reverse(line)
	}
	return nil
}
