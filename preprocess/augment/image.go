package augment

import (
	"math"
	"slices"
	"sync"

	"graft/preprocess"
)

// scratch is what changing one image needs, kept for the next.
type scratch struct {
	*stream
	from, to []float32
}

var scratches = sync.Pool{New: func() any { return &scratch{stream: newStream()} }}

// Image is im changed as an Augmenter of this pipeline and seed changes the image of that index in that epoch, rounded to
// 8 bits. Mixup, which takes a batch, is left out. It may be called by several goroutines.
func (p Pipeline) Image(im preprocess.Image, seed uint64, epoch, index int) (preprocess.Image, error) {
	oh, ow, err := p.Size(im.H, im.W)
	if err != nil {
		return preprocess.Image{}, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	out := preprocess.New(im.C, oh, ow)
	s.from = slices.Grow(s.from[:0], len(im.Pix))[:len(im.Pix)]
	s.to = slices.Grow(s.to[:0], len(out.Pix))[:len(out.Pix)]
	for i, v := range im.Pix {
		s.from[i] = float32(v) / 255
	}
	s.start(seed, forImage, epoch, index)
	p.change(s.to, s.from, im.C, im.H, im.W, oh, ow, s.stream)
	for i, v := range s.to {
		out.Pix[i] = uint8(math.Round(float64(v) * 255))
	}
	return out, nil
}
