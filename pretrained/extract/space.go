package extract

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/internal/diskspace"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// openWriter opens the store, unless the disk has no room for what it lacks. Nothing is begun then.
func (c *Config) openWriter(ctx context.Context, m store.Manifest, indices []int) (*store.Writer, error) {
	begun, err := store.Begun(c.Out)
	if err == nil && begun == nil {
		err = c.fits(&m, indices, m.Spans(c.Part))
	}
	if err != nil {
		return nil, err
	}
	w, err := store.OpenWriter(ctx, c.Out, m, store.WriterOptions{Part: c.Part, KeepBatch: c.KeepBatch}, c.Checked)
	if err != nil || begun == nil {
		return w, err
	}
	if err := c.fits(&m, indices, w.Missing()); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// fits compares the features of the shards at spans of indices with what is free on the
// disk, and tells both where they are many.
func (c *Config) fits(m *store.Manifest, indices []int, spans [][2]int) error {
	samples, train := 0, 0
	for _, s := range spans {
		samples += s[1]
		train += c.trainOf(indices[s[0] : s[0]+s[1]])
	}
	need := m.Bytes(samples, train)
	free, err := diskspace.Free(c.Out)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("extract to %s: free space: %w", c.Out, err)
	}
	if need > free {
		return fmt.Errorf("extract to %s: the features of %d images (%d of the %s split) take %s, and %s are free there; make room, or take another folder, fewer views or taps, float16, or a limit",
			c.Out, samples, train, dataset.Train, gigabytes(need), gigabytes(free))
	}
	large := m.Views != nil || slices.ContainsFunc(m.Taps, func(t store.Tap) bool { return t.Shape != nil })
	if large && c.Note != nil && need > 0 {
		c.Note(fmt.Sprintf("%s: %s will be written; %s are free there", c.Out, gigabytes(need), gigabytes(free)))
	}
	return nil
}

// trainOf counts samples of the train split.
func (c *Config) trainOf(indices []int) (n int) {
	for _, i := range indices {
		if c.Data.Samples[i].Split == dataset.Train {
			n++
		}
	}
	return n
}

func gigabytes(n int64) string { return fmt.Sprintf("%.3g GB", float64(n)/1e9) }
