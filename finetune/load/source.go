// Package load reads what runs are trained and judged on: the rows of an embedding store and the images of a dataset.
package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
)

// Source is what runs are judged on: an embedding store or a dataset.
type Source interface {
	Splits() Splits
	// Load reads a split's samples into memory.
	Load(ctx context.Context, split string) (fit.Examples, run.Rows, error)
	// Contents tell a split's images, nil where they are not known.
	Contents(ctx context.Context, split string) ([]duplicate.Content, error)
	// Identity is the dataset's name and fingerprint.
	Identity(ctx context.Context) (name, fingerprint string, err error)
	// Notes says what of it is left out.
	Notes() []string
	Close() error
}

// Open opens what a run is judged on: for a head the store at embeddings, for
// others the dataset; where neither is given, what the run was trained on.
func Open(ctx context.Context, r *run.Run, embeddings string, data dataset.Ref, progress Progress) (Source, error) {
	if r.Config.Kind == nets.KindHead {
		return openStore(r, embeddings, data.SkipUnknown)
	}
	if embeddings != "" {
		return nil, fmt.Errorf("run %s is a %s: it is judged on images (--data), not on embeddings", r.Dir, r.Config.Kind)
	}
	limit := r.Config.Dataset.Limit
	if data.Path != "" {
		limit = 0
	}
	d, notes, err := openData(ctx, r, data, progress)
	return Images{d, r.Config.Net.InputShape(), *r.Config.Pixels, limit, notes}, err
}

// Store is a store's features as a head reads them.
type Store struct {
	Store *store.Store
	Head  run.HeadRecord // its taps, and whether both views count
	// Classes say which of the head's each of the store's is; To is nil where they are the same.
	Classes dataset.Matching
}

// Splits are the store's.
func (s Store) Splits() Splits { return StoreSplits(s.Store) }

// Load reads a split's features.
func (s Store) Load(_ context.Context, split string) (fit.Examples, run.Rows, error) {
	f, err := ReadFeatures(s.Store, s.Head.Taps, split, s.Head.UseFlip)
	if err != nil {
		return nil, run.Rows{}, err
	}
	if s.Classes.To != nil {
		f = f.relabelled(s.Classes.To)
	}
	if len(f.Labels) == 0 {
		return nil, run.Rows{}, fmt.Errorf("store %s: split %s has no rows of known classes", s.Store.Dir(), split)
	}
	x, rows := f.Examples()
	return x, rows, err
}

// Contents are what the store keeps of its images.
func (s Store) Contents(_ context.Context, split string) (contents []duplicate.Content, err error) {
	for _, r := range s.Store.Rows() {
		if r.Split == split && s.Store.Grouped() {
			contents = append(contents, r.Content)
		}
	}
	return contents, nil
}

// Identity is of the dataset that the features were extracted from.
func (s Store) Identity(context.Context) (string, string, error) {
	d := s.Store.Manifest().Dataset
	return d.Name, d.Fingerprint, nil
}

// Notes says how the store's classes were taken.
func (s Store) Notes() []string { return s.Classes.Notes }

// Close has nothing to close.
func (s Store) Close() error { return nil }

// Images are a dataset's images as a network reads them.
type Images struct {
	*dataset.Dataset
	Shape  []int // of the network's input
	Pixels run.PixelsRecord
	Limit  int      // images per split, 0 for all
	Noted  []string // of its classes
}

// Splits are the dataset's.
func (s Images) Splits() Splits { return DatasetSplits(s.Dataset) }

// Load decodes a split's images.
func (s Images) Load(ctx context.Context, split string) (fit.Examples, run.Rows, error) {
	p, rows, err := s.Read(ctx, split, nil)
	if err != nil {
		return nil, rows, err
	}
	samples, err := p.Plain(nil, s.Shape[1], s.Pixels.Mirror)
	return samples, rows, err
}

// Identity is the dataset's.
func (s Images) Identity(ctx context.Context) (string, string, error) {
	fingerprint, err := s.Fingerprint(ctx)
	return s.Name(), fingerprint, err
}

// Notes says what was left out as bad, and how the classes were taken.
func (s Images) Notes() []string { return slices.Concat(LeftOut(s.Dataset), s.Noted) }

// Fold is a source with one split more: rows of train that a training left out.
type Fold struct {
	Source
	name    string
	samples fit.Examples
	rows    run.Rows
}

// NewFold names the rows and adds them to a source.
func NewFold(s Source, name string, samples fit.Examples, rows run.Rows) (Fold, error) {
	return Fold{s, name, samples, rows}, s.Splits().CheckFold(name)
}

// Splits are the source's and the fold.
func (f Fold) Splits() Splits {
	t := f.Source.Splits()
	t.names, t.Rows = append(slices.Clone(t.names), f.name), maps.Clone(t.Rows)
	t.Rows[f.name] = len(f.rows.Labels)
	return t
}

// Load is the source's, and of the fold what it was made of.
func (f Fold) Load(ctx context.Context, split string) (fit.Examples, run.Rows, error) {
	if split == f.name {
		return f.samples, f.rows, nil
	}
	return f.Source.Load(ctx, split)
}

// checkStore refuses a store whose features the head was not trained for.
func checkStore(r *run.Run, s *store.Store) error {
	m := s.Manifest()
	var diff []string
	differ := func(what string, had, wants any) {
		if had != wants {
			diff = append(diff, fmt.Sprintf("\n  %s: the store has %v, the run wants %v", what, had, wants))
		}
	}
	b := r.Config.Backbone
	differ("backbone (SHA-256)", m.Backbone.SHA256, b.SHA256)
	differ("preprocessing", m.Backbone.Preprocessing, b.Preprocessing)
	for _, tap := range r.Config.Head.Taps {
		differ("tap "+tap, tapWidth(m, tap), fmt.Sprintf("%d features", b.Dims[tap]))
	}
	if r.Config.Head.UseFlip && !s.HasFlip() {
		differ("mirrored features", "none", "them, for averaging (graft extract --flip)")
	}
	if len(diff) > 0 {
		return fmt.Errorf("store %s does not fit run %s:%s", s.Dir(), r.Dir, strings.Join(diff, ""))
	}
	return nil
}

func tapWidth(m store.Manifest, name string) string {
	at := slices.IndexFunc(m.Taps, func(t store.Tap) bool { return t.Name == name })
	if at < 0 {
		return "no such tap"
	}
	return fmt.Sprintf("%d features", m.Taps[at].Dim)
}

// openStore opens the store at path, or the one that the run was trained on.
func openStore(r *run.Run, path string, skipUnknown bool) (out Store, err error) {
	own := path == ""
	if own {
		path = r.Config.Embeddings.Path
	}
	s, err := store.Open(path)
	if err != nil && own && !exists(path) {
		return out, fmt.Errorf("the embeddings that run %s was trained on are not at %s any more; name a store with --embeddings", r.Dir, path)
	}
	if err == nil {
		err = checkStore(r, s)
	}
	if by := r.Config.Head.GroupBy; err == nil && by != "" && s.Grouped() {
		err = s.GroupBy(by)
	}
	if err != nil {
		return out, err
	}
	out = Store{Store: s, Head: r.Config.Head}
	if !slices.Equal(s.Classes(), r.Config.Classes) {
		out.Classes, err = matchStore(r, s, skipUnknown)
	}
	return out, err
}

// matchStore takes a store's classes for a head's, by their names.
func matchStore(r *run.Run, s *store.Store, skipUnknown bool) (dataset.Matching, error) {
	m, err := dataset.Match(s.Classes(), r.Config.Classes)
	if err != nil {
		return m, fmt.Errorf("store %s: %w (run %s)", s.Dir(), err, r.Dir)
	}
	return m, m.Skip(s.Classes(), func(yield func(int) bool) {
		for _, row := range s.Rows() {
			if !yield(row.Label) {
				return
			}
		}
	}, skipUnknown, "store "+s.Dir())
}
