package finetune

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"graft/finetune/fit"
	"graft/graph/lower"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

// check wants images that come to the network's input [C,H,W].
func (p *PixelsRecord) check(shape []int) error {
	switch {
	case p == nil:
		return errors.New("nothing is said about pixels")
	case len(shape) != 3 || shape[1] != shape[2]:
		return fmt.Errorf("the network's input is %v, want square images", shape)
	case p.Side < 1 || p.Side > maxSide:
		return fmt.Errorf("images of %d pixels a side, want 1 to %d", p.Side, maxSide)
	case p.Fit != lower.FitResize && p.Fit != lower.FitCrop:
		return fmt.Errorf("fit %q, want %s or %s", p.Fit, lower.FitResize, lower.FitCrop)
	case p.Fit == lower.FitCrop && p.Side < shape[1]:
		return fmt.Errorf("the network's input of %d pixels a side cannot be cut out of images of %d", shape[1], p.Side)
	case shape[0] != 1 && shape[0] != 3:
		return fmt.Errorf("images of %d channels, want 1 or 3", shape[0])
	}
	return nil
}

// kept is the side that images are kept with, before a crop.
func (p PixelsRecord) kept(shape []int) int {
	if p.Fit == lower.FitResize {
		return shape[1]
	}
	return p.Side
}

// fitImage gives an image a number of channels and makes it side×side.
func fitImage(im preprocess.Image, channels, side int) preprocess.Image {
	if im.H != side || im.W != side {
		im = preprocess.Square(im, side, 1)
	}
	switch {
	case im.C == channels:
		return im
	case channels == 1:
		return gray(im)
	}
	return preprocess.Image{C: 3, H: im.H, W: im.W, Pix: slices.Repeat(im.Pix, 3)}
}

// gray is the luma of an RGB image (ITU-R BT.601), rounded as Pillow does it.
func gray(im preprocess.Image) preprocess.Image {
	out := preprocess.New(1, im.H, im.W)
	n := len(out.Pix)
	for i := range out.Pix {
		r, g, b := uint32(im.Pix[i]), uint32(im.Pix[n+i]), uint32(im.Pix[2*n+i])
		out.Pix[i] = uint8((19595*r + 38470*g + 7471*b + 0x8000) >> 16)
	}
	return out
}

// loadPixels reads the images of splits into memory as the network of that
// input shape wants them, before its crop.
func loadPixels(ctx context.Context, d *dataset.Dataset, splits []string, limit int, p PixelsRecord, shape []int, progress func(done, total int64)) (*fit.Pixels, rows, error) {
	var f rows
	indices, err := d.Select(splits, limit)
	if err != nil {
		return nil, f, err
	}
	if len(indices) == 0 {
		return nil, f, fmt.Errorf("dataset %s: split %v has no images", d.Path, splits)
	}
	f.add(d, indices)
	pixels := fit.NewPixels(len(indices), shape[0], p.Side, p.kept(shape))
	return pixels, f, eachImage(ctx, d, indices, progress, func(i int, im preprocess.Image) error {
		return pixels.Set(i, fitImage(im, shape[0], p.Side))
	})
}

// eachImage decodes images on all cores.
func eachImage(ctx context.Context, d *dataset.Dataset, indices []int, progress func(done, total int64), keep func(i int, im preprocess.Image) error) error {
	return onAllCores(ctx, len(indices), progress, func(i int) error {
		im, err := d.Image(indices[i])
		if err != nil {
			return err
		}
		return keep(i, im)
	})
}

// onAllCores does work for every i below n; after a failure no more is begun.
func onAllCores(ctx context.Context, n int, progress func(done, total int64), work func(i int) error) error {
	var next, done atomic.Int64
	var mu sync.Mutex
	var failed error
	var wait sync.WaitGroup
	loop := func() error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n || ctx.Err() != nil {
				return ctx.Err()
			}
			if err := work(i); err != nil {
				next.Store(int64(n)) // the others stop
				return err
			}
			if at := done.Add(1); progress != nil {
				mu.Lock()
				progress(at, int64(n))
				mu.Unlock()
			}
		}
	}
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			if err := loop(); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return failed
}

// all is 0 to n-1.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
