// Package check tells how far the features of one backbone are from another's on
// the same images: of a network in int8 or float16 from its float32 file, of one
// runtime from another.
//
// For every tap it gives the cosine similarity of the two features of an image
// (mean, and least over the images), the relative error over all images, and what
// a linear probe trained on each loses: two heads, one on A's features and one on
// B's, by the same L-BFGS at the same strength, judged on the same images.
package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// Config says which backbones to compare, and on what.
type Config struct {
	A, B     string // ONNX files; A is the reference
	Data     *dataset.Dataset
	Limit    int              // images of each split, 0 for all
	Taps     []string         // words as taps.Resolve takes them; none: all
	Batch    int              // images per inference, 0: what suits each network
	SkipBad  bool             // as extract.Config has it
	Foreign  *preprocess.Spec // describes files that graft did not export
	Runtime  session.Options
	Seed     uint64                                     // of the hold-out, where there are no two splits
	Progress func(label string) func(done, total int64) // may be nil
}

// Run extracts the features of both backbones into a temporary folder, one after
// the other, and compares them.
func Run(ctx context.Context, c Config) (r Report, err error) {
	if c.Progress == nil {
		c.Progress = func(string) func(int64, int64) { return nil }
	}
	if len(c.Taps) == 0 {
		c.Taps = []string{"all"}
	}
	dir, release, err := atomicfile.TempDir(filepath.Join(os.TempDir(), "graft-check"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var stores [2]*store.Store
	var speeds [2]float64
	for i, path := range []string{c.A, c.B} {
		if stores[i], speeds[i], err = c.extract(ctx, path, filepath.Join(dir, fmt.Sprint(i))); err != nil {
			return r, fmt.Errorf("check %s: %w", path, err)
		}
	}
	if r, err = Stores(ctx, stores[0], stores[1], c.Seed, c.Runtime.Threads, c.Progress("comparing (taps)")); err != nil {
		return r, err
	}
	r.A.ImagesPerSecond, r.B.ImagesPerSecond = speeds[0], speeds[1]
	return r, nil
}

func (c Config) extract(ctx context.Context, path, dir string) (s *store.Store, speed float64, err error) {
	c.Runtime.Throughput = true
	b, err := pretrained.Open(ctx, path, pretrained.Options{Runtime: c.Runtime, Taps: c.Taps, Foreign: c.Foreign})
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	sum, err := extract.Run(ctx, extract.Config{
		Data: c.Data, Backbone: b, Out: dir, Taps: c.Taps, Limit: c.Limit, Batch: c.Batch, SkipBad: c.SkipBad,
	}, c.Progress("extracting "+b.Name()+" (images)"))
	if err != nil {
		return nil, 0, err
	}
	s, err = store.Open(dir)
	return s, sum.ImagesPerSecond, err
}

// Stores compares two stores of the same images, a being the reference, on the
// taps that both have. progress counts taps and may be nil.
func Stores(ctx context.Context, a, b *store.Store, seed uint64, threads int, progress func(done, total int64)) (Report, error) {
	r := Report{A: side(a), B: side(b), Data: a.Manifest().Dataset.Name, Images: len(a.Rows())}
	if err := sameImages(a, b); err != nil {
		return r, err
	}
	taps := slices.DeleteFunc(a.Taps(), func(t string) bool { return !slices.Contains(b.Taps(), t) })
	if len(taps) == 0 {
		return r, fmt.Errorf("%s and %s have no tap in common", a.Dir(), b.Dir())
	}
	p := plan(a, seed)
	p.threads = threads
	r.Probe = p.Probe
	for i, name := range taps {
		t, err := tap(ctx, a, b, name, p)
		if err != nil {
			return r, fmt.Errorf("tap %s: %w", name, err)
		}
		r.Taps = append(r.Taps, t)
		if progress != nil {
			progress(int64(i+1), int64(len(taps)))
		}
	}
	return r, nil
}

// sameImages wants the same rows in the same order.
func sameImages(a, b *store.Store) error {
	if fa, fb := a.Manifest().Dataset.Fingerprint, b.Manifest().Dataset.Fingerprint; fa != fb {
		return fmt.Errorf("%s and %s are of different datasets: %s and %s", a.Dir(), b.Dir(), fa, fb)
	}
	ra, rb := a.Rows(), b.Rows()
	if len(ra) != len(rb) {
		return fmt.Errorf("%s holds %s and %s %d", a.Dir(), plural.Of(len(ra), "image"), b.Dir(), len(rb))
	}
	for i := range ra {
		if ra[i] != rb[i] {
			return fmt.Errorf("row %d is image %s in %s and %s in %s", i, ra[i].ID, a.Dir(), rb[i].ID, b.Dir())
		}
	}
	return nil
}

func side(s *store.Store) Side {
	b := s.Manifest().Backbone
	return Side{Name: b.Name, SHA256: b.SHA256, Precision: b.Precision, Provider: b.Provider}
}

// tap compares the features of one tap.
func tap(ctx context.Context, a, b *store.Store, name string, p probe) (Tap, error) {
	x, err := a.Matrix([]string{name}, "", false)
	if err != nil {
		return Tap{}, err
	}
	y, err := b.Matrix([]string{name}, "", false)
	if err != nil {
		return Tap{}, err
	}
	if x.Dim != y.Dim {
		return Tap{}, fmt.Errorf("%d and %d features", x.Dim, y.Dim)
	}
	t := Tap{Name: name, Dim: x.Dim}
	if err := t.compare(x.X, y.X, x.IDs); err != nil {
		return t, err
	}
	t.Probes, err = p.judge(ctx, x.X, y.X, x.Dim, x.Labels, len(a.Classes()))
	return t, err
}
