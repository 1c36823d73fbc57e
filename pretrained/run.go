package pretrained

import (
	"context"
	"fmt"

	"graft/preprocess"
)

// Run computes the features of a batch: out[t] becomes [len(batch), Dim(taps[t])],
// row i belonging to batch[i], and must be that long. Images of equal shape run
// together, groups in the order of their first image, so equal batches give equal
// bits. Images must have been through Prepare.
func (b *Backbone) Run(ctx context.Context, batch []preprocess.Image, taps []string, out [][]float32) error {
	infos, err := b.checkRun(batch, taps, out)
	if err != nil || len(batch) == 0 {
		return err
	}
	var buffers *scratch
	select {
	case buffers = <-b.runs:
		defer func() { b.runs <- buffers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	groups := groupShapes(batch)
	if len(groups) == 1 {
		return b.adapter.run(ctx, b.session, buffers, batch, infos, out)
	}
	for _, rows := range groups {
		if err := b.runGroup(ctx, buffers, batch, rows, infos, out); err != nil {
			return err
		}
	}
	return nil
}

// checkRun finds the taps and checks what the caller brought.
func (b *Backbone) checkRun(batch []preprocess.Image, taps []string, out [][]float32) ([]tapInfo, error) {
	if len(out) != len(taps) {
		return nil, fmt.Errorf("backbone %s: %d taps but %d outputs to fill", b.file.Path, len(taps), len(out))
	}
	infos := make([]tapInfo, len(taps))
	for t, name := range taps {
		infos[t] = b.tap(name)
		if want := len(batch) * infos[t].dim; infos[t].dim == 0 || len(out[t]) != want {
			return nil, fmt.Errorf("backbone %s, tap %q: output holds %d values, wanted %d images of %d", b.file.Path, name, len(out[t]), len(batch), infos[t].dim)
		}
	}
	for i, im := range batch {
		if (im.C != 1 && im.C != 3) || im.H < 1 || im.W < 1 || len(im.Pix) != im.C*im.H*im.W {
			return nil, fmt.Errorf("backbone %s: image %d of the batch: shape [%d,%d,%d] with %d pixels; wanted 1 or 3 channels and as many pixels as the shape says",
				b.file.Path, i, im.C, im.H, im.W, len(im.Pix))
		}
	}
	return infos, nil
}

// runGroup runs the images at rows, which have one shape, and spreads the
// results over the rows of out.
func (b *Backbone) runGroup(ctx context.Context, buffers *scratch, batch []preprocess.Image, rows []int, taps []tapInfo, out [][]float32) error {
	part := make([]preprocess.Image, len(rows))
	for i, r := range rows {
		part[i] = batch[r]
	}
	res := make([][]float32, len(taps))
	for t := range taps {
		res[t] = make([]float32, len(rows)*taps[t].dim)
	}
	if err := b.adapter.run(ctx, b.session, buffers, part, taps, res); err != nil {
		return err
	}
	for t, info := range taps {
		for i, r := range rows {
			copy(out[t][r*info.dim:(r+1)*info.dim], res[t][i*info.dim:])
		}
	}
	return nil
}

// groupShapes lists the indices of images of equal (C,H,W), groups in the order
// of their first image.
func groupShapes(batch []preprocess.Image) [][]int {
	type shape struct{ c, h, w int }
	at := map[shape]int{}
	var groups [][]int
	for i, im := range batch {
		s := shape{im.C, im.H, im.W}
		g, ok := at[s]
		if !ok {
			g = len(groups)
			at[s] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}
