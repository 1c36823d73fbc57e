// Package load reads what runs are trained and judged on: the rows of an embedding store and the images of a dataset.
package load

import (
	"context"
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// Source is what runs are judged on: an embedding store or a dataset.
type Source interface {
	Splits() Splits
	// Load reads a split's samples into memory.
	Load(ctx context.Context, split string) (fit.Examples, run.Rows, error)
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
		s, err := openStore(r, embeddings)
		return Store{s, r.Config.Head}, err
	}
	if embeddings != "" {
		return nil, fmt.Errorf("run %s is a %s: it is judged on images (--data), not on embeddings", r.Dir, r.Config.Kind)
	}
	limit := r.Config.Dataset.Limit
	if data.Path != "" {
		limit = 0
	}
	d, err := openData(ctx, r, data, progress)
	return Images{d, r.Config.Net.InputShape(), *r.Config.Pixels, limit}, err
}

// Store is a store's features as a head reads them.
type Store struct {
	Store *store.Store
	Head  run.HeadRecord // its taps, and whether both views count
}

// Splits are the store's.
func (s Store) Splits() Splits { return StoreSplits(s.Store) }

// Load reads a split's features.
func (s Store) Load(_ context.Context, split string) (fit.Examples, run.Rows, error) {
	return ReadExamples(s.Store, s.Head.Taps, split, s.Head.UseFlip)
}

// Identity is of the dataset that the features were extracted from.
func (s Store) Identity(context.Context) (string, string, error) {
	d := s.Store.Manifest().Dataset
	return d.Name, d.Fingerprint, nil
}

// Notes is nil: the rows are what was extracted.
func (s Store) Notes() []string { return nil }

// Close has nothing to close.
func (s Store) Close() error { return nil }

// Images are a dataset's images as a network reads them.
type Images struct {
	*dataset.Dataset
	Shape  []int // of the network's input
	Pixels run.PixelsRecord
	Limit  int // images per split, 0 for all
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

// Notes says what was left out as bad.
func (s Images) Notes() []string { return LeftOut(s.Dataset) }
