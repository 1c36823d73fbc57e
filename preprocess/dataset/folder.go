package dataset

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"graft/internal/parallel"
	"graft/preprocess"
)

// treeSource decodes images of a folder or archive on demand.
type treeSource struct {
	tree   tree
	images []imageFile // by sample
}

func (s *treeSource) image(ctx context.Context, i int) (preprocess.Image, error) {
	return decode(ctx, s, i)
}

func (s *treeSource) open(i int) (io.ReadCloser, error) { return s.tree.open(s.images[i].entry) }

func (s *treeSource) size(i int) (int64, error) { return s.tree.size(s.images[i].entry) }

func (s *treeSource) keep(samples []int) { s.images = pick(s.images, samples) }

func (s *treeSource) Close() error { return s.tree.Close() }

// treeForm is image files in folders that tell split and class, or in a .zip of them
// without a known CSV.
type treeForm struct{ ofFiles }

func (treeForm) sniff(in *input) bool {
	if in.zip == nil {
		return in.info != nil && in.info.IsDir()
	}
	known, _ := findCSV(in.zip.File)
	return known == nil && slices.ContainsFunc(in.zip.File, func(f *zip.File) bool { return !f.FileInfo().IsDir() && isImage(f.Name) })
}

func (treeForm) open(ctx context.Context, d *Dataset, in *input) error {
	src := &treeSource{tree: dirTree{in.Path}}
	if in.zip != nil {
		src.tree, in.file = &zipTree{in.file, in.zip}, nil
	}
	d.src = src
	list, outside, err := src.tree.entries(ctx)
	if err != nil {
		return err
	}
	for _, name := range outside {
		if err := d.bad(d.Path, name, "name points outside the archive"); err != nil {
			return err
		}
	}
	l, err := findLayout(list)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	for _, folder := range slices.Sorted(maps.Keys(l.folder)) {
		if l.folder[folder] == 0 {
			if err := d.bad(d.Path, folder, "class folder holds no images"); err != nil {
				return err
			}
		}
	}
	if l.images, err = d.unique(l.images); err != nil {
		return err
	}
	if l.stray > 0 {
		d.warn("%s: %d image files lie outside {train,val,test}/<class>/ and are left out", d.Path, l.stray)
	}
	d.warnOthers(l.others)
	if l.isKaggle() {
		src.images, err = d.kaggle(l)
	} else {
		src.images = d.generic(l)
	}
	return err
}

// warnOthers tells of files left out by their names' endings: most are notes, but
// some may be images of a kind that is not read.
func (d *Dataset) warnOthers(others map[string]int) {
	const most = 5
	var kinds []string
	total := 0
	for _, ext := range slices.Sorted(maps.Keys(others)) {
		total += others[ext]
		kinds = append(kinds, cmp.Or(ext, "no ending"))
	}
	if len(kinds) > most {
		kinds = append(kinds[:most], "…")
	}
	if total > 0 {
		d.warn("%s: %d files in class folders are not read as images (%s)", d.Path, total, strings.Join(kinds, ", "))
	}
}

// unique leaves out images whose path came before: archives may hold a name
// twice.
func (d *Dataset) unique(images []imageFile) ([]imageFile, error) {
	seen := make(map[string]bool, len(images))
	kept := images[:0]
	for _, im := range images {
		if !seen[im.id] {
			seen[im.id] = true
			kept = append(kept, im)
			continue
		}
		if err := d.bad(d.Path, im.id, "archive holds this name twice"); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// verify decodes every image on all cores. Faults of others than the images end
// it in any case.
func (d *Dataset) verify(ctx context.Context, progress func(done, total int64)) error {
	faults := make([]error, len(d.Samples))
	err := parallel.For(ctx, len(d.Samples), progress, func(i int) error {
		_, faults[i] = d.src.image(ctx, i)
		if faults[i] != nil && !(d.skipBad && errors.As(faults[i], new(*preprocess.BadImageError))) {
			return fmt.Errorf("%s: %s: %w", d.Path, d.Samples[i].ID, faults[i])
		}
		return nil
	})
	if err != nil {
		return err
	}
	var kept []int
	for i, fault := range faults {
		if fault == nil {
			kept = append(kept, i)
		} else if err := d.leaveOut(d.Samples[i].ID, fault.Error()); err != nil {
			return err
		}
	}
	d.keep(kept)
	return nil
}
