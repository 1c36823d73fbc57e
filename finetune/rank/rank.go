// Package rank compares frozen backbones on a sample of a dataset, before hours
// go into extracting all of it: for every backbone and tap the accuracy of its
// nearest neighbours and of a quick linear probe, with 95% intervals, beside
// its speed and size.
//
// The sample is drawn from the train split, every class by its share. Nothing
// is judged on an image that it learned from: neighbours are those among the
// other images, and the probe is cross-validated, its strength chosen inside
// each fold's training part. So every image of the sample counts once in every
// accuracy, and test splits stay untouched. Images that are the same or nearly so
// (package duplicate) are never each other's neighbours, nor in two folds.
package rank

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/atomicfile"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// DefaultSample is how many images are drawn unless told otherwise: their
// intervals are about ±2 points, and a ViT-B/16 on two CPU cores takes minutes.
const DefaultSample = 2000

// Config says what to compare and on what.
type Config struct {
	// Data is the dataset; what is not drawn is dropped from it.
	Data      *dataset.Dataset
	Backbones []File
	Foreign   *preprocess.Spec // describes the backbones that graft did not export
	Runtime   session.Options
	Taps      []string                                   // words as taps.Resolve takes them; none: taps.Deep of each
	Splits    []string                                   // none: train
	Sample    int                                        // images to draw, 0 for all
	Seed      uint64                                     // of the draw and of the folds
	Batch     int                                        // images per inference, 0: what suits each backbone
	SkipBad   bool                                       // as extract.Config has it
	Log       func(line string)                          // told how each backbone did; may be nil
	Progress  func(label string) func(done, total int64) // may be nil
}

// quiet fills in observers that do nothing.
func (c *Config) quiet() {
	if c.Log == nil {
		c.Log = func(string) {}
	}
	if c.Progress == nil {
		c.Progress = func(string) func(int64, int64) { return func(int64, int64) {} }
	}
}

// Run compares the backbones, one after the other. Features lie in a temporary
// folder until their backbone is judged.
func Run(ctx context.Context, c Config) (r Report, err error) {
	if len(c.Backbones) == 0 {
		return r, errors.New("no backbone to rank")
	}
	c.quiet()
	if err := c.tryAll(ctx); err != nil {
		return r, err
	}
	if err := c.draw(); err != nil {
		return r, err
	}
	if r, err = c.report(ctx); err != nil {
		return r, err
	}
	dir, release, err := atomicfile.TempDir(filepath.Join(os.TempDir(), "graft-rank"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	for i, f := range c.Backbones {
		b, err := c.judge(ctx, f, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return r, fmt.Errorf("rank %s: %w", f.Name, err)
		}
		c.Log(b.line())
		r.Backbones = append(r.Backbones, b)
		if first := r.Backbones[0]; !slices.Equal(b.rows, first.rows) {
			return r, fmt.Errorf("rank %s: it judged %d images, not the same as %s, which judged %d: was the dataset changed meanwhile?", f.Name, len(b.rows), first.Name, len(first.rows))
		}
	}
	r.groups = r.Backbones[0].groups
	r.conclude()
	return r, nil
}

// report is the part of the result that is known before.
func (c *Config) report(ctx context.Context) (Report, error) {
	fingerprint, err := c.Data.Fingerprint(ctx)
	return Report{Data: c.Data.Name(), Fingerprint: fingerprint, Splits: c.Splits, Images: len(c.Data.Samples),
		Classes: c.Data.Classes, Seed: c.Seed, Neighbours: neighbours, Folds: folds}, err
}

// tryAll opens the backbones behind the first once: what is wrong with one, or
// with its taps, is better known before others have run.
func (c *Config) tryAll(ctx context.Context) error {
	if c.Foreign != nil && !slices.ContainsFunc(c.Backbones, func(f File) bool { return !f.opened.Own() }) {
		return fmt.Errorf("each of the backbones: %w", pretrained.ErrDescribed)
	}
	for _, f := range c.Backbones[1:] {
		p, err := c.open(ctx, f)
		if err != nil {
			return fmt.Errorf("rank %s: %w", f.Name, err)
		}
		if err := p.Close(); err != nil {
			return fmt.Errorf("rank %s: %w", f.Name, err)
		}
	}
	return nil
}

func (c *Config) open(ctx context.Context, f File) (*pretrained.Backbone, error) {
	o := pretrained.Options{Runtime: c.Runtime, Taps: c.Taps}
	o.Runtime.Throughput = true
	if !f.opened.Own() {
		o.Foreign = c.Foreign
	}
	return f.opened.Open(ctx, o)
}

// judge extracts the sample with one backbone and judges its taps.
func (c *Config) judge(ctx context.Context, f File, dir string) (b Backbone, err error) {
	p, err := c.open(ctx, f)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	words := c.Taps
	if len(words) == 0 {
		words = taps.Deep(p.Taps())
	}
	s, err := extract.Run(ctx, extract.Config{Data: c.Data, Backbone: p, Out: dir, Taps: words, Batch: c.Batch, SkipBad: c.SkipBad},
		c.Progress("extracting "+filepath.Base(f.Name)+" (images)"))
	if err != nil {
		return b, err
	}
	b = f.describe(p)
	b.Provider, b.Batch, b.Images, b.Seconds, b.ImagesPerSecond = s.Provider, s.Batch, s.Rows, s.Seconds, s.ImagesPerSecond
	b.BadImages = len(s.Bad)
	if err = c.judgeTaps(ctx, &b, dir); err != nil {
		return b, err
	}
	return b, os.RemoveAll(dir)
}

// judgeTaps judges the features in the store at dir, tap by tap.
func (c *Config) judgeTaps(ctx context.Context, b *Backbone, dir string) error {
	s, err := store.Open(dir)
	if err != nil {
		return err
	}
	progress := c.Progress("judging " + filepath.Base(b.Name) + " (taps)")
	for i, t := range s.Taps() {
		m, err := s.Matrix([]string{t}, "", false)
		if err != nil {
			return err
		}
		one := judged{x: m.X, dim: m.Dim, labels: m.Labels, groups: m.Groups, classes: len(s.Classes()), seed: c.Seed, threads: c.Runtime.Threads}
		tap, err := one.tap(ctx, t)
		if err != nil {
			return fmt.Errorf("tap %s: %w", t, err)
		}
		b.Taps, b.rows, b.groups = append(b.Taps, tap), m.Indices, m.Groups
		progress(int64(i+1), int64(len(s.Taps())))
	}
	return nil
}
