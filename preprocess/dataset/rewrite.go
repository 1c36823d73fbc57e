package dataset

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"graft/internal/atomicfile"
)

// Rewrite writes d as it is now, after Keep and with its samples' labels, in the form it
// was found in: FER2013's CSV and the synthetic set as such a CSV, folders of images and
// lists as a list of path, label and split, and the column that names groups, relative to its folder. Images are not
// copied. What d is read from is never replaced.
func Rewrite(ctx context.Context, d *Dataset, out string, progress func(done, total int64)) error {
	if _, path := (Ref{Path: d.Path}).cut(); atomicfile.Same(path, out) {
		return fmt.Errorf("%s is what the set is read from; give --out another name", out)
	}
	if d.Photos() {
		return d.writeList(ctx, out)
	}
	if lower := strings.ToLower(out); !strings.HasSuffix(lower, ".csv") && !strings.HasSuffix(lower, ".csv.gz") {
		return fmt.Errorf("%s would not be told for a CSV; end the name of --out in .csv or .csv.gz", out)
	}
	return Convert(ctx, d, out, progress)
}

// writeList writes a list of d's files, and reads it back before it takes its name.
func (d *Dataset) writeList(ctx context.Context, out string) error {
	dir, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return err
	}
	f, err := atomicfile.Create(out)
	if err != nil {
		return err
	}
	defer f.Abort()
	b := bufio.NewWriter(f)
	w := csv.NewWriter(b)
	paths := make([]string, len(d.Samples))
	grouped := d.groups != nil && !strings.Contains(d.GroupBy, "(") // by a column
	line := slices.Clone(listColumns)
	if grouped {
		line = append(line, d.GroupBy)
	}
	if err := w.Write(line); err != nil {
		return err
	}
	for i, s := range d.Samples {
		if paths[i], err = d.pathFrom(dir, i); err != nil {
			return err
		}
		line = append(line[:0], paths[i], d.Classes[s.Label], s.Split)
		if grouped {
			line = append(line, d.groups[i])
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	if err := errors.Join(w.Error(), b.Flush()); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	if f.Temporary() {
		if err := d.checkList(ctx, f.Name(), paths); err != nil {
			return fmt.Errorf("%s as a list: %w", d.Path, err)
		}
	}
	return f.Commit()
}

// pathFrom is where sample i's file lies, as seen from a folder.
func (d *Dataset) pathFrom(dir string, i int) (string, error) {
	var path string
	switch src := d.src.(type) {
	case *listSource:
		path = src.path(i)
	case *treeSource:
		tree, ok := src.tree.(dirTree)
		if !ok {
			return "", fmt.Errorf("%s: images in an archive cannot be listed; unpack it first", d.Path)
		}
		path = tree.path(src.images[i].entry)
	}
	if path == "" {
		return "", fmt.Errorf("%s: images in a file of many cannot be listed; convert it to a folder first", d.Path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(dir, path); err == nil {
		path = rel
	}
	if path = filepath.ToSlash(path); strings.HasPrefix(path, "#") {
		path = "./" + path // else a comment
	}
	return path, nil
}

// checkList wants a list to say of every sample what d does.
func (d *Dataset) checkList(ctx context.Context, list string, paths []string) error {
	read, err := Open(ctx, Ref{Path: ListPrefix + list, GroupBy: d.GroupBy}, nil)
	if err != nil {
		return err
	}
	defer read.Close()
	if len(read.Samples) != len(paths) {
		return fmt.Errorf("%d images are read back of %d", len(read.Samples), len(paths))
	}
	for i, s := range read.Samples {
		if want := d.Samples[i]; s.ID != paths[i] || s.Split != want.Split || read.Classes[s.Label] != d.Classes[want.Label] {
			return fmt.Errorf("%q of class %q in split %q would be read back as %q, %q, %q", paths[i], d.Classes[want.Label], want.Split, s.ID, read.Classes[s.Label], s.Split)
		}
	}
	return nil
}
