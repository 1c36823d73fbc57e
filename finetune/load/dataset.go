package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/run"
	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// Progress makes a function that is told how far a piece of work is, by what
// the work is called and, in parentheses, what is counted: "extracting (images)". It
// may be nil, and so may be what it makes.
type Progress func(label string) func(done, total int64)

// Of is nil where nobody is to be told.
func (p Progress) Of(label string) func(done, total int64) {
	if p == nil {
		return nil
	}
	return p(label)
}

// LeftOut is a sentence on what SkipBad left out, none if nothing.
func LeftOut(d *dataset.Dataset) []string {
	if len(d.Bad) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("left out: %s of %s; the first: %s: %s", plural.Of(len(d.Bad), "bad entry"), d.Name(), d.Bad[0].Where, d.Bad[0].Reason)}
}

// openData opens the given dataset, or the one that the run was trained on, with the run's classes, and says what to note.
func openData(ctx context.Context, r *run.Run, given dataset.Ref, progress Progress) (*dataset.Dataset, []string, error) {
	ref := given
	if ref.Path == "" {
		ref = r.Config.Dataset.Ref
	}
	switch {
	case ref.Path == "":
		return nil, nil, fmt.Errorf("run %s names no dataset; give one with --data", r.Dir)
	case given.Path == "" && !ref.Exists():
		return nil, nil, fmt.Errorf("the dataset that run %s was trained on is not at %s any more; name one with --data", r.Dir, ref.Path)
	}
	ref.Verify = ref.SkipBad // so that bad files are left out too
	return OpenAs(ctx, ref, r.Config.Classes, "run "+r.Dir, progress)
}

// OpenAs opens a dataset with the classes of who judges it, matched by name; it says what to note of them, and what is odd
// about the set: how it was split, or a folder without images, decides what is judged.
func OpenAs(ctx context.Context, ref dataset.Ref, classes []string, who string, progress Progress) (*dataset.Dataset, []string, error) {
	d, err := dataset.Open(ctx, ref, progress.Of("reading "+ref.Name()+" (bytes)"))
	if err != nil {
		return nil, nil, err
	}
	notes, err := d.As(classes, ref.SkipUnknown)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("dataset %w (%s)", err, who), d.Close())
	}
	return d, slices.Concat(d.Warnings, notes), nil
}

// SameClasses closes a dataset of other classes than who wants, and says so.
func SameClasses(d *dataset.Dataset, classes []string, who string) error {
	had, want := strings.Join(d.Classes, ", "), strings.Join(classes, ", ")
	if had == want {
		return nil
	}
	return errors.Join(fmt.Errorf("dataset %s has the classes %s, %s wants %s", d.Path, had, who, want), d.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// FitImage gives an image a number of channels, 0 for those it has, and makes it side×side.
func FitImage(im preprocess.Image, channels, side int) preprocess.Image {
	if im.H != side || im.W != side {
		im = preprocess.Square(im, side, 1)
	}
	switch {
	case channels == 0, im.C == channels:
		return im
	case channels == 1:
		return im.Gray()
	}
	return preprocess.Image{C: 3, H: im.H, W: im.W, Pix: slices.Repeat(im.Pix, 3)}
}

// Read decodes a split's images into memory as the network takes them, before
// its crop.
func (s Images) Read(ctx context.Context, split string, progress func(done, total int64)) (*fit.Pixels, run.Rows, error) {
	var rows run.Rows
	indices, err := s.Select([]string{split}, s.Limit)
	if err != nil {
		return nil, rows, err
	}
	if len(indices) == 0 {
		return nil, rows, fmt.Errorf("dataset %s: split %s has no images", s.Path, split)
	}
	contents := make([]duplicate.Content, len(indices))
	rows.Add(s.Dataset, indices, contents)
	pixels := fit.NewPixels(len(indices), s.Shape[0], s.Pixels.Side, s.Pixels.Kept(s.Shape))
	err = parallel.For(ctx, len(indices), progress, func(i int) error {
		im, err := s.Image(ctx, indices[i])
		if err != nil {
			return err
		}
		rows.Contents[i] = s.Content(indices[i], im)
		return pixels.Set(i, FitImage(im, s.Shape[0], s.Pixels.Side))
	})
	return pixels, rows, err
}

// Contents looks at a split's images.
func (s Images) Contents(ctx context.Context, split string) ([]duplicate.Content, error) {
	indices, err := s.Select([]string{split}, s.Limit)
	if err != nil {
		return nil, err
	}
	contents := make([]duplicate.Content, len(indices))
	return contents, parallel.For(ctx, len(indices), nil, func(i int) error {
		im, err := s.Image(ctx, indices[i])
		switch {
		case err == nil:
			contents[i] = s.Content(indices[i], im)
		case errors.As(err, new(*preprocess.BadImageError)):
			return nil // it is like no other
		}
		return err
	})
}
