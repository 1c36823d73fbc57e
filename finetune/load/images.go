package load

import (
	"context"
	"fmt"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/run"
	"graft/internal/parallel"
	"graft/preprocess"
)

// FitImage gives an image a number of channels and makes it side×side.
func FitImage(im preprocess.Image, channels, side int) preprocess.Image {
	if im.H != side || im.W != side {
		im = preprocess.Square(im, side, 1)
	}
	switch {
	case im.C == channels:
		return im
	case channels == 1:
		return im.Gray()
	}
	return preprocess.Image{C: 3, H: im.H, W: im.W, Pix: slices.Repeat(im.Pix, 3)}
}

// Read decodes a split's images into memory as the network takes them, before
// its crop.
func (s Images) Read(ctx context.Context, split string, progress func(done, total int64)) (*fit.Pixels, run.Rows, error) {
	var rows run.Rows
	indices, err := s.Select([]string{split}, s.Limit)
	if err != nil {
		return nil, rows, err
	}
	if len(indices) == 0 {
		return nil, rows, fmt.Errorf("dataset %s: split %s has no images", s.Path, split)
	}
	rows.Add(s.Dataset, indices)
	pixels := fit.NewPixels(len(indices), s.Shape[0], s.Pixels.Side, s.Pixels.Kept(s.Shape))
	return pixels, rows, parallel.For(ctx, len(indices), progress, func(i int) error {
		im, err := s.Image(ctx, indices[i])
		if err != nil {
			return err
		}
		return pixels.Set(i, FitImage(im, s.Shape[0], s.Pixels.Side))
	})
}
