package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"graft/internal/parallel"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// Extend is Run where the store at c.Out may have been made with fewer taps, or of a dataset that has changed since: what it
// holds of images that are still the same, by their pixels, is taken over and not computed again. The store keeps its own
// taps, and whatever a store fixes but taps and dataset has to be the same. The new one is made beside it, as one that may be
// broken off and gone on with, and takes its place when it is whole. Features that are taken over were computed in other
// batches than here, which can change their last bits. No row is
// lost: a selection without an image of the store is refused, and what else lies in its folder is carried over.
func Extend(ctx context.Context, c Config, progress func(done, total int64)) (sum Summary, err error) {
	place := placeOf(c.Out)
	if err := place.recover(); err != nil {
		return Summary{}, fmt.Errorf("extend %s: %w", c.Out, err)
	}
	begun, err := store.Begun(c.Out)
	if err != nil {
		return Summary{}, err
	}
	if begun == nil {
		return Run(ctx, c, progress)
	}
	c.Flip, c.ShardRows = c.Flip || begun.Flip, cmp.Or(c.ShardRows, begun.ShardRows)
	if begun.Batch > 0 && !c.KeepBatch {
		c.Batch, c.AutoBatch = begun.Batch, false
	}
	c.known = &known{manifest: *begun}
	var other *store.MismatchError
	if sum, err = Run(ctx, c, progress); !errors.As(err, &other) || !other.Extendable() {
		return sum, err
	}
	if !c.Part.Whole() || begun.Views != nil {
		return Summary{}, fmt.Errorf("extend %s: neither in parts nor with views of changed images", c.Out)
	}
	err = place.locked(func() error {
		sum, err = c.extend(ctx, place, other, progress)
		return err
	})
	return sum, err
}

// extend makes the new store beside the old one, and puts it in its place.
func (c Config) extend(ctx context.Context, place place, other *store.MismatchError, progress func(done, total int64)) (sum Summary, err error) {
	old, err := c.openKnown()
	if err == nil && slices.ContainsFunc(other.Differences, func(d store.Difference) bool { return d.Field != "taps" }) {
		err = c.refuseLost(ctx, old)
	}
	if err != nil {
		return Summary{}, errors.Join(fmt.Errorf("extend %s: %w", c.Out, err), c.known.close())
	}
	beside := c
	beside.Out = place.next
	sum, err = Run(ctx, beside, progress)
	if errors.As(err, new(*store.MismatchError)) { // begun for another wish, and never finished
		if err = os.RemoveAll(place.next); err == nil {
			sum, err = Run(ctx, beside, progress)
		}
	}
	if err = errors.Join(err, c.known.close()); err != nil {
		return Summary{}, err
	}
	sum.Store, sum.Reused = c.Out, int(c.known.reused.Load())
	made, err := store.Open(place.next)
	if err == nil {
		var keys []duplicate.Key
		for _, r := range made.Rows() {
			keys = append(keys, r.Content.Key)
		}
		err = lost(old.Rows(), keys)
	}
	if err == nil {
		err = place.swap()
	}
	if err != nil {
		return Summary{}, fmt.Errorf("extend %s: %w", c.Out, err)
	}
	return sum, nil
}

// openKnown opens the store to take over from, which nobody must have changed since it was looked at.
func (c Config) openKnown() (*store.Store, error) {
	now, err := store.Begun(c.Out)
	if err == nil && !reflect.DeepEqual(now, &c.known.manifest) {
		err = errors.New("another process changed the store meanwhile; run the same again")
	}
	if err != nil {
		return nil, err
	}
	old, err := store.Open(c.Out)
	if err != nil {
		return nil, err
	}
	return old, c.known.open(old)
}

// refuseLost looks at the selected images, before any feature is computed, whether all of the store's are among them.
func (c Config) refuseLost(ctx context.Context, old *store.Store) error {
	indices, err := c.Data.Select(c.Splits, c.Limit)
	if err != nil {
		return err
	}
	keys := make([]duplicate.Key, len(indices))
	if err := parallel.For(ctx, len(indices), nil, func(i int) error {
		if content, err := c.look(ctx, indices[i]); err == nil { // an image that cannot be had is no row
			keys[i] = content.Key
		}
		return ctx.Err()
	}); err != nil {
		return err
	}
	return lost(old.Rows(), keys)
}

// lost refuses to let rows go whose images are not among those with the keys, as often as the rows have them.
func lost(rows []store.Row, keys []duplicate.Key) error {
	have := map[duplicate.Key]int{}
	for _, k := range keys {
		have[k]++
	}
	var gone []store.Row
	for _, r := range rows {
		if !r.Content.Known() {
			return fmt.Errorf("the store does not tell which image row %s is of, so nothing can be added to it: extract to another folder", r.ID)
		}
		if have[r.Content.Key]--; have[r.Content.Key] < 0 {
			gone = append(gone, r)
		}
	}
	if gone == nil {
		return nil
	}
	return fmt.Errorf("%d of the store's %d rows would be lost, since their images are not among the selected ones (the first: %s of split %s): an extension only adds; give the dataset that the store was made of, with at least its splits, and no limit (--data, --split, --limit), or extract to another folder",
		len(gone), len(rows), gone[0].ID, gone[0].Split)
}

// Missing are those of the words for taps, one each in c.Taps, that the store at c.Out does not hold; all of them where it
// holds none, or where the dataset, the splits or the limit are others than the store's: then new images want the store's
// own taps too. What is missing nowhere is the store's first, since a backbone has to be opened for something.
func Missing(ctx context.Context, c Config) ([]string, error) {
	words := c.Taps
	if err := placeOf(c.Out).recover(); err != nil {
		return nil, fmt.Errorf("extend %s: %w", c.Out, err)
	}
	begun, err := store.Begun(c.Out)
	if err != nil || begun == nil {
		return words, err
	}
	fingerprint, err := c.Data.Fingerprint(ctx)
	if err != nil {
		return nil, err
	}
	had, d := begun.Words(), begun.Dataset
	if !begun.Complete() || d.Fingerprint != fingerprint || !slices.Equal(d.Splits, c.splits()) || d.Limit != c.Limit {
		return append(had, words...), nil
	}
	names := taps.Split(had)
	var missing []string
	for _, w := range words {
		if !slices.Contains(names, taps.Split([]string{w})[0]) {
			missing = append(missing, w)
		}
	}
	if missing == nil {
		return had[:1], nil
	}
	return missing, nil
}
