package finetune

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"graft/finetune/fit"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// source is what runs are judged on: an embedding store or a dataset.
type source interface {
	splits() splitTable
	// load reads a split's samples into memory.
	load(ctx context.Context, split string) (fit.Examples, rows, error)
	// identity is the dataset's name and fingerprint.
	identity(ctx context.Context) (name, fingerprint string, err error)
	// notes says what of it is left out.
	notes() []string
	Close() error
}

// storeSource is a store's features as a head reads them.
type storeSource struct {
	run *Run
	s   *store.Store
}

func (s storeSource) splits() splitTable { return storeSplits(s.s) }

func (s storeSource) load(_ context.Context, split string) (fit.Examples, rows, error) {
	c := s.run.Config.Head
	return loadExamples(s.s, c.Taps, split, c.UseFlip)
}

func (s storeSource) identity(context.Context) (string, string, error) {
	d := s.s.Manifest().Dataset
	return d.Name, d.Fingerprint, nil
}

func (s storeSource) notes() []string { return nil } // its rows are what was extracted

func (s storeSource) Close() error { return nil }

// loadExamples reads a split's features, with flip also those of the mirrored
// images, whose logits are averaged with the others'.
func loadExamples(s *store.Store, taps []string, split string, flip bool) (fit.Features, rows, error) {
	f, err := loadFeatures(s, taps, split)
	if err != nil {
		return fit.Features{}, rows{}, err
	}
	out := fit.Features{X: f.x, Dim: f.dim}
	if flip {
		out.Mirrored, err = loadMirrored(s, taps, split)
	}
	return out, f.rows, err
}

// DataOptions name a dataset; see dataset.Open.
type DataOptions struct {
	Path     string `json:"path,omitempty"`
	FERPlus  string `json:"ferplus,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`      // of the synthetic set
	PerClass int    `json:"per_class,omitempty"` // of the synthetic set
	SkipBad  bool   `json:"skip_bad,omitempty"`
}

// recorded is what config.json holds: paths from the root, and only what the
// dataset depends on.
func (o DataOptions) recorded() DataOptions {
	if list, ok := strings.CutPrefix(o.Path, dataset.ListPrefix); ok {
		o.Path, o.Seed, o.PerClass = dataset.ListPrefix+absolute(list), 0, 0
	} else if o.Path != "" && o.Path != dataset.SyntheticPath {
		o.Path, o.Seed, o.PerClass = absolute(o.Path), 0, 0
	}
	if o.FERPlus != "" {
		o.FERPlus = absolute(o.FERPlus)
	}
	return o
}

// open opens the dataset. With verify every image file is decoded first, so that
// SkipBad leaves out the bad ones too.
func (o DataOptions) open(ctx context.Context, verify bool, progress func(done, total int64)) (*dataset.Dataset, error) {
	return dataset.Open(ctx, o.Path, dataset.Options{FERPlus: o.FERPlus, SkipBad: o.SkipBad, Seed: o.Seed, PerClass: o.PerClass, Verify: verify}, progress)
}

// exists tells whether something lies where the path says.
func (o DataOptions) exists() bool {
	return o.Path == dataset.SyntheticPath || exists(strings.TrimPrefix(o.Path, dataset.ListPrefix))
}

// leftOut is a sentence on what SkipBad left out, none if nothing.
func leftOut(d *dataset.Dataset) []string {
	if len(d.Bad) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d bad entries of %s are left out; the first: %s: %s", len(d.Bad), d.Name(), d.Bad[0].Where, d.Bad[0].Reason)}
}

// openData opens the given dataset, or the one that the run was trained on.
func (r *Run) openData(ctx context.Context, given DataOptions, progress func(label string) func(done, total int64)) (*dataset.Dataset, error) {
	o := given
	if o.Path == "" {
		o = r.Config.Dataset.DataOptions
	}
	switch {
	case o.Path == "":
		return nil, fmt.Errorf("run %s names no dataset; give one with --data", r.Dir)
	case given.Path == "" && !o.exists():
		return nil, fmt.Errorf("the dataset that run %s was trained on is not at %s any more; name one with --data", r.Dir, o.Path)
	}
	d, err := o.open(ctx, o.SkipBad, label(progress, "reading "+o.Path))
	if err != nil {
		return nil, err
	}
	return d, closeUnlike(d, r.Config.Classes, "run "+r.Dir)
}

// closeUnlike closes a dataset of other classes than who wants, and says so.
func closeUnlike(d *dataset.Dataset, classes []string, who string) error {
	had, want := strings.Join(d.Classes, ", "), strings.Join(classes, ", ")
	if had == want {
		return nil
	}
	return errors.Join(fmt.Errorf("dataset %s has the classes %s, %s wants %s", d.Path, had, who, want), d.Close())
}

// label makes a progress function, nil without a maker of them.
func label(progress func(label string) func(done, total int64), text string) func(done, total int64) {
	if progress == nil {
		return nil
	}
	return progress(text)
}

// imageSource is a dataset's images as a network reads them.
type imageSource struct {
	*dataset.Dataset
	shape  []int // of the network's input
	pixels PixelsRecord
	limit  int // images per split, 0 for all
}

func (s imageSource) splits() splitTable { return datasetSplits(s.Dataset) }

func (s imageSource) load(ctx context.Context, split string) (fit.Examples, rows, error) {
	p, f, err := loadPixels(ctx, s.Dataset, []string{split}, s.limit, s.pixels, s.shape, nil)
	if err != nil {
		return nil, f, err
	}
	samples, err := p.Plain(all(len(f.labels)), s.shape[1], s.pixels.Mirror)
	return samples, f, err
}

func (s imageSource) identity(ctx context.Context) (string, string, error) {
	fingerprint, err := s.Fingerprint(ctx)
	return s.Name(), fingerprint, err
}

func (s imageSource) notes() []string { return leftOut(s.Dataset) }
