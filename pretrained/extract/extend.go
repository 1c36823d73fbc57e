package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/atomicfile"
	"graft/internal/filelock"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// Extend is Run where the store at c.Out may have been made with fewer taps, or of a dataset that has changed since: what it
// holds of images that are still the same, by their pixels, is taken over and not computed again. The store keeps its own
// taps, and whatever a store fixes but taps and dataset has to be the same. The new one is made beside it, as one that may be
// broken off and gone on with, and takes its place when it is whole. Features that are taken over were computed in other
// batches than here, which can change their last bits.
func Extend(ctx context.Context, c Config, progress func(done, total int64)) (sum Summary, err error) {
	if target, err := filepath.EvalSymlinks(c.Out); err == nil {
		c.Out = target // a link stays one
	}
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
	lock, err := filelock.Acquire(place.lock)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return Summary{}, fmt.Errorf("extend %s: another process is at it: %w", c.Out, err)
	}
	if lock != nil {
		defer func() { err = errors.Join(err, lock.Release()) }()
	}
	return c.extend(ctx, place, progress)
}

// extend makes the new store beside the old one, and puts it in its place.
func (c Config) extend(ctx context.Context, place place, progress func(done, total int64)) (sum Summary, err error) {
	old, err := store.Open(c.Out)
	if err == nil {
		err = c.known.open(old)
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
	return sum, place.swap(c.known.manifest.Backbone.Name)
}

// Missing are those of the words for taps that the store at out does not hold; all of them where it holds none, or where
// the dataset, whose fingerprint is given, is another than the store's: then new images want the store's own taps too. What
// is missing nowhere is the store's first, since a backbone has to be opened for something.
func Missing(out string, words []string, fingerprint string) ([]string, error) {
	if err := placeOf(out).recover(); err != nil {
		return nil, fmt.Errorf("extend %s: %w", out, err)
	}
	begun, err := store.Begun(out)
	if err != nil || begun == nil {
		return words, err
	}
	had := begun.Words()
	if !begun.Complete() || begun.Dataset.Fingerprint != fingerprint {
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

// place is where a store's successor is made, and where the store goes meanwhile.
type place struct{ out, next, aside, lock string }

func placeOf(out string) place {
	base := filepath.Join(filepath.Dir(filepath.Clean(out)), atomicfile.TempPrefix+"extend-"+filepath.Base(out))
	return place{filepath.Clean(out), base + "-next", base + "-old", base + "-lock"}
}

// swap puts the new store in the place of the old one, whose backbone may lie in it.
func (p place) swap(backbone string) error {
	err := os.Rename(filepath.Join(p.out, backbone), filepath.Join(p.next, backbone))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(p.out, p.aside); err != nil {
		return err
	}
	return p.recover()
}

// recover ends a swap that was broken off: with the new store where the old one is out of its place already.
func (p place) recover() error {
	if _, err := os.Lstat(p.aside); err != nil {
		return nil
	}
	if _, err := os.Lstat(p.out); errors.Is(err, os.ErrNotExist) {
		if err := os.Rename(p.next, p.out); err != nil {
			return err
		}
	}
	return errors.Join(atomicfile.SyncDir(filepath.Dir(p.out)), os.RemoveAll(p.aside))
}
