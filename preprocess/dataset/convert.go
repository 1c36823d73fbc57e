package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/parallel"
)

// Convert writes d to out: a FER2013 CSV where out ends in .csv or .csv.gz,
// else a folder of PNG files, lossless. progress, which may be nil, is told
// images written and their total.
//
// A CSV takes sets of 48×48 gray images with FER2013's classes and splits.
// A folder of such a set has Kaggle's layout and names, with the row in the
// name (train/happy/Training_00042.png), so that converting back gives the
// same CSV rows; of any other set it is <split>/<class>/<name>.png, with the
// index before the name for lists. FER+ votes are not written: their file goes on
// fitting.
//
// The output appears whole or not at all. An existing CSV is replaced, but for the
// one that d is read from; a folder must be absent or empty.
func Convert(ctx context.Context, d *Dataset, out string, progress func(done, total int64)) error {
	if lower := strings.ToLower(out); strings.HasSuffix(lower, ".csv") || strings.HasSuffix(lower, ".csv.gz") {
		if atomicfile.Same(d.Path, out) {
			return fmt.Errorf("%s is what the set is read from; give --out another name", out)
		}
		return d.writeCSV(ctx, out, progress)
	}
	if ext := path.Ext(out); ext == ".gz" || ext == ".zip" || ext == ".tar" || ext == ".tgz" {
		return fmt.Errorf("cannot write %s files; end the name of --out in .csv or .csv.gz, or name a folder", ext)
	}
	return d.writeFolder(ctx, out, progress)
}

// isFER tells sets with FER2013's classes and splits.
func (d *Dataset) isFER() bool {
	return slices.Equal(d.Classes, FERClasses) && !slices.ContainsFunc(d.Splits, func(s string) bool { return ferSplit(s) < 0 })
}

// row is the sample's row in FER2013, known or taken from its place.
func (d *Dataset) row(i int) int {
	if d.rows != nil {
		return d.rows[i]
	}
	return i
}

// writeFolder writes to a temporary folder beside out and renames it.
func (d *Dataset) writeFolder(ctx context.Context, out string, progress func(done, total int64)) (err error) {
	out = filepath.Clean(out)
	if err := checkEmpty(out); err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(out); err == nil {
		out = target // a link stays one
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	tmp, release, err := atomicfile.TempDir(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := d.fillFolder(ctx, tmp, progress); err != nil {
		return err
	}
	// Renaming does not replace a folder, not even an empty one.
	if err := os.Remove(out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, out); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(out))
}

// checkEmpty refuses an out that would be overwritten.
func checkEmpty(out string) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s is no folder to write to: %w", out, err)
	case len(entries) > 0:
		return fmt.Errorf("folder %s is not empty (it holds %s, …); name another --out or empty it first", out, entries[0].Name())
	}
	return nil
}

// checkNames refuses a list's labels and splits that a folder cannot tell.
func (d *Dataset) checkNames() error {
	for _, c := range d.Classes {
		if c == "." || !filepath.IsLocal(c) || strings.ContainsAny(c, `/\`) {
			return fmt.Errorf("%s: class %q cannot be a folder's name", d.Path, c)
		}
	}
	for _, s := range d.Splits {
		if !d.isFER() && !slices.Contains(folderSplits, s) {
			return fmt.Errorf("%s: split %q would not be read back: a folder's splits are %s", d.Path, s, strings.Join(folderSplits, ", "))
		}
	}
	return nil
}

func (d *Dataset) fillFolder(ctx context.Context, dir string, progress func(done, total int64)) error {
	if err := d.checkNames(); err != nil {
		return err
	}
	made := map[string]bool{}
	for i := range d.Samples {
		folder := path.Dir(d.memberName(i))
		if made[folder] {
			continue
		}
		made[folder] = true
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(folder)), 0o755); err != nil {
			return err
		}
	}
	name := func(i int) string { return filepath.Join(dir, filepath.FromSlash(d.memberName(i))) }
	if err := parallel.For(ctx, len(d.Samples), progress, func(i int) error { return d.writePNG(ctx, name(i), i) }); err != nil {
		return err
	}
	// All at the end, when the system has written most of them: one by one costs a turn of the disk for each.
	if err := parallel.For(ctx, len(d.Samples), nil, func(i int) error { return syncFile(name(i)) }); err != nil {
		return err
	}
	for folder := range made {
		for ; folder != "."; folder = path.Dir(folder) {
			if err := atomicfile.SyncDir(filepath.Join(dir, filepath.FromSlash(folder))); err != nil {
				return err
			}
		}
	}
	return atomicfile.SyncDir(dir)
}

// syncFile brings a file that was written to the disk; tests count.
var syncFile = func(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// memberName is where sample i goes below the folder.
func (d *Dataset) memberName(i int) string {
	s := d.Samples[i]
	class := d.Classes[s.Label]
	if !d.isFER() {
		name := path.Base(s.ID)
		if d.again {
			name = fmt.Sprintf("%07d-%s", i, path.Base(filepath.ToSlash(s.ID)))
		}
		if !strings.EqualFold(path.Ext(name), ".png") {
			name += ".png" // on top of .jpg: two files may differ in that alone
		}
		return path.Join(s.Split, class, name)
	}
	folder := Test
	if s.Split == FERSplits[0] {
		folder = Train
	}
	return path.Join(folder, class, ferID(ferSplit(s.Split), d.row(i))+".png")
}

var pngEncoder = png.Encoder{CompressionLevel: png.BestSpeed}

func (d *Dataset) writePNG(ctx context.Context, name string, i int) error {
	im, err := d.Image(ctx, i)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pngEncoder.Encode(&b, im.ToImage()); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err // also two samples of one name
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}
