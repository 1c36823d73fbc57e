package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"graft/internal/plural"
	"graft/pretrained/store"
)

// maxRereads is how many images are looked at again to tell whether the dataset
// is still there: little beside a shard, and enough to meet each of several volumes.
const maxRereads = 16

// shardTally is what became of a shard's images, by their numbers in the dataset.
type shardTally struct {
	first, count int
	good, lost   []int
	bad          []store.BadRow // of the last batch that had any
}

func (t *shardTally) add(b *batch) {
	t.first, t.count = b.first, b.count
	for _, r := range b.rows {
		t.good = append(t.good, r.Index)
	}
	t.lost = append(t.lost, b.lost...)
	if len(b.bad) > 0 {
		t.bad = b.bad
	}
}

// unreachable tells failures that may be a volume's and not a file's: it was
// unmounted, or the right to read it ran out.
func unreachable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// refuseMissing stops a run before it puts images on record as bad, for good,
// that only went with their volume. A shard that leaves some out is kept only if
// those that it has can still be read, and those not found are still not there.
func (p *pipeline) refuseMissing(ctx context.Context, t *shardTally) error {
	if t.bad == nil {
		return nil
	}
	if len(t.good) == 0 {
		return p.refuseEmpty(ctx, t)
	}
	for _, i := range evenly(t.good, maxRereads) {
		if _, err := p.c.Data.Image(ctx, i); err != nil {
			return cmp.Or(ctx.Err(), p.missingError(t, fmt.Errorf("image %s could be read a moment ago and now cannot (%s)", p.c.Data.Samples[i].ID, reason(err))))
		}
	}
	for _, i := range t.lost {
		if _, err := p.c.Data.Image(ctx, i); err == nil {
			return p.missingError(t, fmt.Errorf("image %s was not there a moment ago, and now is", p.c.Data.Samples[i].ID))
		}
	}
	return nil
}

// refuseEmpty judges a shard without one good image. Where others of the dataset
// are to be had it may be a run of bad ones; of a full shard's length that is hard
// to believe, and has to be asked for.
func (p *pipeline) refuseEmpty(ctx context.Context, t *shardTally) error {
	last := t.bad[len(t.bad)-1]
	err := fmt.Errorf("every one of its %s is bad (the last: %s: %s)", plural.Of(t.count, "image"), last.ID, last.Reason)
	others := slices.Concat(p.indices[:t.first], p.indices[t.first+t.count:])
	if !slices.ContainsFunc(evenly(others, maxRereads), func(i int) bool {
		_, err := p.c.Data.Image(ctx, i)
		return err == nil
	}) {
		return cmp.Or(ctx.Err(), p.missingError(t, err))
	}
	if t.count == p.c.ShardRows && !p.c.SkipBad {
		return p.missingError(t, fmt.Errorf("%w (if they really are, --skip-bad leaves them out)", err))
	}
	return nil
}

func (p *pipeline) missingError(t *shardTally, err error) error {
	return fmt.Errorf("shard %d: %w; is %s still whole, and mounted? Nothing of this shard was kept: run the same again",
		t.first/p.c.ShardRows, err, p.c.Data.Path)
}

// evenly takes at most n elements of list at even distances.
func evenly(list []int, n int) []int {
	n = min(n, len(list))
	out := make([]int, n)
	for k := range out {
		out[k] = list[k*len(list)/n]
	}
	return out
}
