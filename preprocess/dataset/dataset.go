// Package dataset reads image classification data sets in the forms they are
// found in: FER2013's CSV files, bare or packed; images in folders that tell split
// and class, or class alone, or nothing, and their .zip and .tar files; parquet files and
// arrays of numpy with labels beside; WebDataset's shards; lists of images anywhere; and the synthetic sets that need no download.
//
// Whatever the form, a Dataset is a list of samples with split and label, and
// pixels on demand. Opening one checks it: what is wrong is an error that
// names file and row or member or, with Ref.SkipBad, an entry of Dataset.Bad.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"graft/preprocess"
	"graft/preprocess/duplicate"
)

// Names of splits: FER2013's, and those of other sets.
const (
	Train       = "train"
	PublicTest  = "public-test"
	PrivateTest = "private-test"
	Val         = "val"
	Test        = "test"
)

// Sample is one image's place in the set.
type Sample struct {
	ID    string  // Training_00042 (zero-based row) for CSV files, the member's path for folders, both unique; for lists the path as listed, which may come again
	Split string  // one of Dataset.Splits
	Label int     // index into Dataset.Classes
	Votes []uint8 // FER+: votes for neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face; nil without FER+
}

// Bad is something left out because of Ref.SkipBad.
type Bad struct {
	Where  string `json:"where"`  // row and line number, or member name
	Reason string `json:"reason"` // what is wrong with it
}

// Dataset is an opened set. Its fields are for reading.
type Dataset struct {
	Kind     string // of its form
	Path     string
	Classes  []string
	Splits   []string
	Samples  []Sample
	Bad      []Bad    // left out; empty unless Ref.SkipBad
	GroupBy  string   // Ref.GroupBy
	Warnings []string // what is odd but usable, such as FER2013 with other counts than published

	ref       Ref
	form      form
	src       source
	skipBad   bool
	groups    []string // what Ref.GroupBy finds by sample, "" for none; nil without it
	again     bool     // IDs may come again
	published []int    // sizes of Splits that differ from what is there are told; nil for most sets
	rows      []int    // zero-based row of the CSV by sample; nil where unknown
	total     int      // rows of the CSV, good and bad
}

// Name is Ref.Name of its Path.
func (d *Dataset) Name() string { return Ref{Path: d.Path}.Name() }

// Ref opens the same set again, from any folder.
func (d *Dataset) Ref() Ref { return d.ref.Recorded() }

// Photos tells sets of image files (folders, archives of images, lists), where
// bad ones are to be expected. FER2013's CSV files, checked whole at Open, and the
// synthetic set are none.
func (d *Dataset) Photos() bool {
	_, files := d.src.(fileSource)
	return files
}

// source hands out the pixels of a set's samples.
type source interface {
	image(ctx context.Context, i int) (preprocess.Image, error)
	keep(samples []int) // ascending; they are numbered anew from 0
	Close() error
}

// errClosed is returned by Image after Close.
var errClosed = errors.New("data set is closed")

// Image decodes sample i. It may be called from many goroutines at once. The
// error names the sample.
func (d *Dataset) Image(ctx context.Context, i int) (preprocess.Image, error) {
	if d.src == nil {
		return preprocess.Image{}, errClosed
	}
	if i < 0 || i >= len(d.Samples) {
		return preprocess.Image{}, fmt.Errorf("%s: sample %d of %d", d.Path, i, len(d.Samples))
	}
	im, err := d.src.image(ctx, i)
	if err != nil {
		return preprocess.Image{}, fmt.Errorf("%s: %s: %w", d.Path, d.Samples[i].ID, err)
	}
	return im, nil
}

// Content tells sample i, whose image is im, from other images.
func (d *Dataset) Content(i int, im preprocess.Image) duplicate.Content {
	c := duplicate.Of(im)
	if d.groups != nil {
		c.Group = d.groups[i]
	}
	return c
}

// Close frees the set's memory and files. Image must not be running.
func (d *Dataset) Close() error {
	if d.src == nil {
		return nil
	}
	src := d.src
	d.src = nil
	return src.Close()
}

// Select returns indices into Samples, ascending, of the named splits (none
// named: all). With limit > 0 each split gives at most that many, spread
// evenly over it: folders list class after class, and the first hundred images
// of one are a single class.
func (d *Dataset) Select(splits []string, limit int) ([]int, error) {
	if limit < 0 {
		return nil, fmt.Errorf("limit %d is negative", limit)
	}
	for _, s := range splits {
		if !slices.Contains(d.Splits, s) {
			return nil, fmt.Errorf("%s has no split %q; it has %s", d.Path, s, strings.Join(d.Splits, ", "))
		}
	}
	bySplit := map[string][]int{}
	for i, s := range d.Samples {
		if len(splits) == 0 || slices.Contains(splits, s.Split) {
			bySplit[s.Split] = append(bySplit[s.Split], i)
		}
	}
	var out []int
	for _, idx := range bySplit {
		out = append(out, spread(idx, limit)...)
	}
	slices.Sort(out)
	return out, nil
}

// spread takes one element out of each of limit pieces of idx; limit 0 takes all.
// Which one is random, but always the same: classes that take turns in a list would
// fall in step with an even distance.
func spread(idx []int, limit int) []int {
	if limit == 0 || limit >= len(idx) {
		return idx
	}
	rng := rand.New(rand.NewPCG(uint64(limit), uint64(len(idx))))
	out := make([]int, limit)
	for k := range out {
		from, to := k*len(idx)/limit, (k+1)*len(idx)/limit
		out[k] = idx[from+rng.IntN(to-from)]
	}
	return out
}
