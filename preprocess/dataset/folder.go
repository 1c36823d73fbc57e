package dataset

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"graft/internal/plural"
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

// treeForm is image files in folders that tell split and class, or in an archive of them
// without a known CSV.
type treeForm struct{ ofFiles }

func (treeForm) sniff(in *input) bool {
	image, known := false, false
	for _, e := range in.list {
		image = image || !e.dir && isImage(e.name)
		_, csv := isCSV(e.name)
		known = known || csv && !e.dir
	}
	return image && (!known || in.info.IsDir())
}

func (treeForm) open(ctx context.Context, d *Dataset, in *input) error {
	list, faults := in.list, in.faults
	src := &treeSource{tree: in.take()}
	d.src = src
	var err error
	for _, f := range faults {
		if err = d.bad(d.Path, f.Where, f.Reason); err != nil {
			return err
		}
	}
	if list, err = d.named(list); err != nil {
		return err
	}
	l, err := findLayout(list, strings.TrimSuffix(filepath.Base(d.Path), filepath.Ext(d.Path)))
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	if l.images, err = d.unique(l.images); err != nil {
		return err
	}
	for _, f := range l.empty {
		d.warn("%s: %s: class folder holds no images; the class stays", d.Path, f.id)
	}
	if l.stray > 0 {
		d.warn("%s: %d image files lie outside %s and are left out", d.Path, l.stray, l.shape)
	}
	d.warnOthers(l.others)
	if l.isKaggle() {
		src.images, err = d.kaggle(l)
	} else {
		src.images = d.generic(l)
	}
	return err
}

// named leaves out files and folders whose names are no text, and says so: a class could
// not be called by them.
func (d *Dataset) named(list []entry) ([]entry, error) {
	kept := list[:0]
	for _, e := range list {
		reason := ""
		switch {
		case isHidden(e.name) || !e.dir && !isImage(e.name):
		case !utf8.ValidString(e.name):
			reason = "name is not UTF-8; rename it, or pack it again with names in UTF-8"
		case strings.Count(e.name, "/") > maxDepth:
			reason = fmt.Sprintf("folders lie deeper than %d", maxDepth)
		}
		if reason == "" {
			kept = append(kept, e)
		} else if err := d.bad(d.Path, strconv.QuoteToASCII(e.name), reason); err != nil {
			return nil, err
		}
	}
	return kept, nil
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
		d.warn("%s: in class folders, not read as images: %s (%s)", d.Path, plural.Of(total, "file"), strings.Join(kinds, ", "))
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
