package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/preprocess"
	"graft/preprocess/duplicate"
)

// DefaultShares are those of train, val and test of a set without splits.
const DefaultShares = "80/10/10"

// parseShares reads the shares of train, val and test, or of train and test, as numbers
// of any sum: where each of them ends, from 0 to 1.
func parseShares(text string) (names []string, ends []float64, err error) {
	parts := strings.Split(text, "/")
	names = []string{Train, Val, Test}
	if len(parts) == 2 {
		names = []string{Train, Test}
	}
	sum := 0.0
	for _, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(v >= 0 && v <= 1e6) {
			sum = 0
			break
		}
		sum += v
		ends = append(ends, sum)
	}
	if len(parts) != len(names) || !(sum > 0) || ends[0] == 0 {
		return nil, nil, fmt.Errorf("split shares %q: want those of train, val and test, such as %s, or of train and test, such as 80/20", text, DefaultShares)
	}
	for i := range ends {
		ends[i] /= sum
	}
	return names, ends, nil
}

// asksForShares tells that the set is to be split, and how.
func (r Ref) asksForShares() bool {
	return r.SplitShares != "" || r.SplitSeed != 0 || r.SplitRecord != ""
}

// wantsShares tells whether the set is split by shares: where it has no splits, or is all
// train and shares are asked for.
func (d *Dataset) wantsShares(ref Ref) (bool, error) {
	asked := ref.asksForShares()
	switch {
	case len(d.Splits) == 0 && !asked && (ref.Unsplit || slices.Equal(d.Classes, []string{unlabelled})):
		d.Splits = []string{Train}
		for i := range d.Samples {
			d.Samples[i].Split = Train
		}
		return false, nil
	case len(d.Splits) == 0 || asked && slices.Equal(d.Splits, []string{Train}) && !ref.Drawn():
		_, _, err := parseShares(ref.shares())
		return true, err
	case asked:
		return false, fmt.Errorf("%s has splits of its own (%s): --split-shares, --split-seed and --split-record are for sets without", d.Path, strings.Join(d.Splits, ", "))
	}
	return false, nil
}

func (r Ref) shares() string {
	if r.SplitShares == "" {
		return DefaultShares
	}
	return r.SplitShares
}

// share gives each sample, whose images are contents, the split that a hash of the seed
// and of its group, else of its image, falls into: what is added later moves none.
//
// Near duplicates may fall apart so. With a record all of a group have the split of the
// one that was recorded first; without, those in train are left out.
func (d *Dataset) share(ref Ref, contents []duplicate.Content) error {
	names, ends, err := parseShares(ref.shares())
	if err != nil {
		return err
	}
	for i, c := range contents {
		by := "image:" + string(c.Key[:])
		switch {
		case c.Group != "":
			by = "group:" + c.Group
		case !c.Known():
			by = "name:" + d.Samples[i].ID // of what cannot be decoded
		}
		at := hashed(ref.SplitSeed, by)
		d.Samples[i].Split = names[slices.IndexFunc(ends, func(end float64) bool { return at < end })]
	}
	if ref.SplitRecord != "" {
		err = d.followRecord(ref.SplitRecord, contents)
	} else {
		d.dropNear(contents)
	}
	d.Splits = nil
	count := map[string]int{}
	for _, s := range d.Samples {
		count[s.Split]++
	}
	var told []string
	for _, s := range names {
		told = append(told, fmt.Sprintf("%s %d", s, count[s]))
		if count[s] > 0 {
			d.Splits = append(d.Splits, s)
		}
	}
	d.warn("%s: it has no splits and is split %s by its images: %s", d.Path, ref.shares(), strings.Join(told, ", "))
	return err
}

// hashed is a number from 0 up to 1.
func hashed(seed uint64, by string) float64 {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64([]byte("graft-split-1"), seed), by...))
	return float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53)
}

// dropNear leaves out those samples of train that have a near duplicate in another split.
func (d *Dataset) dropNear(contents []duplicate.Content) {
	alone := slices.Clone(contents)
	for i := range alone {
		alone[i].Group = "" // what is near one image of a person need not leave out all
	}
	groups := duplicate.Groups(alone)
	judged := map[int]bool{}
	for i, g := range groups {
		if d.Samples[i].Split != Train {
			judged[g] = true
		}
	}
	var kept []int
	for i, g := range groups {
		if d.Samples[i].Split != Train || !judged[g] {
			kept = append(kept, i)
		}
	}
	if n := len(groups) - len(kept); n > 0 {
		d.keep(kept)
		d.warn("%s: left out of train: %s, near duplicates of which fell into other splits (--split-record keeps such together)", d.Path, plural.Of(n, "image"))
	}
}

// look decodes every image on all cores, but for those whose contents are kept from another
// time. With verify all are, and a bad one is left out, or ends it where Ref.SkipBad is not
// said; without, its content is unknown. Faults of others than the images end it in any case.
func (d *Dataset) look(ctx context.Context, verify bool, progress func(done, total int64)) ([]duplicate.Content, error) {
	contents := make([]duplicate.Content, len(d.Samples))
	faults := make([]error, len(d.Samples))
	k := d.keptOf()
	if k != nil && verify {
		k.had = nil
	}
	start := time.Now()
	err := parallel.For(ctx, len(d.Samples), progress, func(i int) (err error) {
		if contents[i], err = d.content(ctx, k, i); err == nil {
			return nil
		}
		if faults[i] = err; !errors.As(err, new(*preprocess.BadImageError)) || verify && !d.skipBad {
			return fmt.Errorf("%s: %s: %w", d.Path, d.Samples[i].ID, err)
		}
		return nil
	})
	if err == nil && k != nil && k.news && time.Since(start) > worthKeeping {
		_ = k.write() // a full disk costs time the next time, and nothing else
	}
	if err != nil || !verify {
		return contents, err
	}
	var kept []int
	for i, fault := range faults {
		if fault == nil {
			kept = append(kept, i)
		} else if err := d.leaveOut(d.Samples[i].ID, fault.Error()); err != nil {
			return nil, err
		}
	}
	d.keep(kept)
	return pick(contents, kept), nil
}
