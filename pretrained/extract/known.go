package extract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"graft/preprocess"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
)

// known is a store whose features are taken over.
type known struct {
	manifest store.Manifest
	taps     map[string]*store.Tokens // nil until it is opened
	rows     map[duplicate.Key]int
	reused   atomic.Int64 // images
}

func (k *known) open(s *store.Store) error {
	k.taps, k.rows = map[string]*store.Tokens{}, map[duplicate.Key]int{}
	for i, r := range s.Rows() {
		if r.Content.Known() {
			k.rows[r.Content.Key] = i
		}
	}
	for _, t := range k.manifest.Taps {
		reader, err := s.Tokens(t.Name)
		if err != nil {
			return err
		}
		k.taps[t.Name] = reader
	}
	return nil
}

// with is the store's own taps, and after them those that it has not.
func (k *known) with(list []store.Tap) []store.Tap {
	out := slices.Clone(k.manifest.Taps)
	for _, t := range list {
		if t.DType == k.manifest.DType {
			t.DType = "" // the store's own is left out
		}
		if !slices.ContainsFunc(out, func(o store.Tap) bool { return o.Name == t.Name }) {
			out = append(out, t)
		}
	}
	return out
}

func (k *known) close() (err error) {
	for _, t := range k.taps {
		err = errors.Join(err, t.Close())
	}
	return err
}

// run fills out, [len(rows),Dim] for each of the names, with the features of a view of the rows' images: those that are
// known from the store, the others from the backbone.
func (k *known) run(ctx context.Context, b Backbone, view int, rows []store.Row, images []preprocess.Image, names []string, out [][]float32) error {
	if k == nil || k.taps == nil {
		return b.Run(ctx, images, names, out)
	}
	if len(rows) == 0 {
		return nil
	}
	var old, fresh []int // rows
	for i, r := range rows {
		if _, ok := k.rows[r.Content.Key]; ok {
			old = append(old, i)
		} else {
			fresh = append(fresh, i)
		}
	}
	var missing, all []int // taps
	for t, name := range names {
		all = append(all, t)
		reader, ok := k.taps[name]
		if !ok {
			missing = append(missing, t)
			continue
		}
		dim := len(out[t]) / len(rows)
		for _, i := range old {
			if err := reader.Read(out[t][i*dim:(i+1)*dim], k.rows[rows[i].Content.Key], view); err != nil {
				return err
			}
		}
	}
	if view == 0 {
		k.reused.Add(int64(len(old)))
	}
	return errors.Join(runSome(ctx, b, images, old, names, missing, out), runSome(ctx, b, images, fresh, names, all, out))
}

// runSome runs the images at rows, and spreads the features of some of the taps over those rows of out.
func runSome(ctx context.Context, b Backbone, images []preprocess.Image, rows []int, names []string, which []int, out [][]float32) error {
	if len(rows) == 0 || len(which) == 0 {
		return nil
	}
	var some []preprocess.Image
	for _, i := range rows {
		some = append(some, images[i])
	}
	var wanted []string
	var parts [][]float32
	for _, t := range which {
		if !slices.Contains(b.Taps(), names[t]) {
			return fmt.Errorf("an image that the store does not know wants tap %s, which the backbone was not opened for", names[t])
		}
		wanted, parts = append(wanted, names[t]), append(parts, make([]float32, len(rows)*(len(out[t])/len(images))))
	}
	if err := b.Run(ctx, some, wanted, parts); err != nil {
		return err
	}
	for n, t := range which {
		dim := len(out[t]) / len(images)
		for j, i := range rows {
			copy(out[t][i*dim:(i+1)*dim], parts[n][j*dim:(j+1)*dim])
		}
	}
	return nil
}
