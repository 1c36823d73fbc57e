package train

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/finetune/run"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/taps"
)

// mostApart is how far, ‖a−b‖/‖b‖, what a file in int8 gives may be from what the float32 file of the same network gives:
// some hundredths are usual behind twelve blocks; networks of other weights are 1 or more apart.
const mostApart = 0.3

// openBefore opens the file that runs before the cut, and refuses one that says that it is of another network than the file
// of which the rest is taken.
func (c BackboneConfig) openBefore(ctx context.Context, tail *pretrained.File) (*pretrained.File, *run.BeforeRecord, error) {
	f, err := pretrained.OpenFile(c.Model)
	if err != nil {
		return nil, nil, fmt.Errorf("backbone: %w", err)
	}
	hash, err := f.Hash(ctx)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := tail.Hash(ctx)
	if err != nil {
		return nil, nil, err
	}
	a, b := f.Meta, tail.Meta
	for _, same := range []struct {
		what       string
		model, own any
	}{{"exported by graft", f.Own(), tail.Own()}, {"architecture", a.Arch, b.Arch}, {"source", a.Source, b.Source},
		{"the source's SHA-256", a.SourceSHA256, b.SourceSHA256}, {"preprocessing", a.Spec, b.Spec}} {
		if same.model != same.own {
			return nil, nil, fmt.Errorf("tail %s is of another network than %s: %s %v, and %v there", c.Tail, c.Model, same.what, same.own, same.model)
		}
	}
	if hash == theirs {
		return nil, nil, fmt.Errorf("tail %s is %s itself; leave it out", c.Tail, c.Model)
	}
	return f, &run.BeforeRecord{Model: run.Absolute(c.Model), SHA256: hash, Precision: a.Precision}, nil
}

// comparePair holds what the file before the cut gives of one image against what the other gives, at the cut and in frozen
// taps, and tells it.
func (b *backbone) comparePair(ctx context.Context, words []string, o Observer) error {
	indices, err := b.data.Select([]string{dataset.Train}, 1)
	if err != nil || len(indices) == 0 {
		return errors.Join(err, fmt.Errorf("dataset %s: split %s has no images", b.data.Path, dataset.Train))
	}
	im, err := b.data.Image(ctx, indices[0])
	if err != nil {
		return err
	}
	got, err := b.featuresOf(ctx, b.network.before, words, im)
	if err != nil {
		return err
	}
	want, err := b.featuresOf(ctx, b.network.file, words, im)
	if err != nil {
		return err
	}
	for i, word := range words {
		if len(got[i]) != len(want[i]) {
			return fmt.Errorf("%s gives %d values at %s, %s gives %d; want two files of one network", b.c.Model, len(got[i]), word, b.c.Tail, len(want[i]))
		}
		d := distance(got[i], want[i])
		if !(d <= mostApart) {
			return fmt.Errorf("%s is %.2g away from %s at %s on one image, want at most %g: they have other weights there", b.c.Model, d, b.c.Tail, word, mostApart)
		}
		o.log("%s is %.2g away from %s at %s on one image", b.c.Model, d, b.c.Tail, word)
	}
	return nil
}

// featuresOf are some taps of one image.
func (b *backbone) featuresOf(ctx context.Context, f *pretrained.File, words []string, im preprocess.Image) (out [][]float32, err error) {
	s, err := f.Open(ctx, pretrained.Options{Runtime: b.c.Runtime, Foreign: foreignFor(b.c.Foreign, words), Taps: words})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	names := taps.Split(words)
	for _, w := range names {
		out = append(out, make([]float32, s.Dim(w)))
	}
	return out, s.Run(ctx, []preprocess.Image{s.Prepare(im)}, names, out)
}

// foreignFor describes a network that graft did not export for some taps: how features are made of its output is no part of
// that where they are not asked for.
func foreignFor(f *preprocess.Spec, words []string) *preprocess.Spec {
	if f == nil {
		return nil
	}
	out := *f
	out.Output, out.Pool = "", ""
	for _, w := range taps.Split(words) {
		if !taps.Cut(w) {
			return f
		}
	}
	return &out
}

// distance is ‖a−b‖/‖b‖.
func distance(a, b []float32) float64 {
	var d, size float64
	for i := range b {
		d += math.Pow(float64(a[i])-float64(b[i]), 2)
		size += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(d / size)
}
