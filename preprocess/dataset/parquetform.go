package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/preprocess"
)

// parquetForm is images in parquet files, their bytes or their files' paths, with labels beside, in one file or a tree of
// them whose names tell splits where no column does: Hugging Face's datasets.
type parquetForm struct{ ofFiles }

func (parquetForm) sniff(in *input) bool {
	if in.tree == nil {
		return bytes.HasPrefix(in.head, []byte("PAR1"))
	}
	return holdsOnly(in.list, isParquet)
}

func isParquet(name string) bool {
	return strings.EqualFold(path.Ext(name), ".parquet") && !isHidden(name)
}

// parquetSource decodes images of tables.
type parquetSource struct {
	tables []*parquetTable
	at     []parquetRow
	close  []io.Closer
}

type parquetRow struct{ table, row int32 }

func (s *parquetSource) image(ctx context.Context, i int) (preprocess.Image, error) {
	return decode(ctx, s, i)
}

func (s *parquetSource) open(i int) (io.ReadCloser, error) {
	if file, err := s.file(i); file != "" || err != nil {
		if err != nil {
			return nil, err
		}
		return openRegular(file)
	}
	data, err := s.bytes(i)
	return io.NopCloser(bytes.NewReader(data)), err
}

func (s *parquetSource) bytes(i int) ([]byte, error) {
	data, err := s.tables[s.at[i].table].read(int(s.at[i].row))
	if err == nil && data == nil {
		err = errNoBytes
	}
	return data, cmp.Or(err, checkLength(int64(len(data))))
}

// file is the path of the image's file, "" where its bytes stand in the table.
func (s *parquetSource) file(i int) (string, error) {
	t := s.tables[s.at[i].table]
	if t.files < 0 {
		return "", nil
	}
	p := filepath.FromSlash(t.paths[s.at[i].row])
	switch {
	case p == "":
		return "", errNoPath
	case filepath.IsAbs(p):
		return p, nil
	}
	return filepath.Join(t.root, p), nil
}

// writePaths writes the paths that tables have, as they are written there.
func (s *parquetSource) writePaths(h hash.Hash) {
	for _, at := range s.at {
		if t := s.tables[at.table]; t.files >= 0 {
			writeStrings(h, t.paths[at.row])
		}
	}
}

func (s *parquetSource) size(i int) (int64, error) {
	if file, err := s.file(i); file != "" || err != nil {
		if err != nil {
			return 0, err
		}
		return regularSize(file)
	}
	data, err := s.bytes(i)
	return int64(len(data)), err
}

func (s *parquetSource) keep(samples []int) { s.at = pick(s.at, samples) }

func (s *parquetSource) Close() (err error) {
	for _, c := range s.close {
		err = errors.Join(err, c.Close())
	}
	return err
}

func (parquetForm) open(ctx context.Context, d *Dataset, in *input) error {
	if in.gzip && in.tree == nil {
		return fmt.Errorf("%s: a parquet file packed by gzip; unpack it first", d.Path)
	}
	src := &parquetSource{}
	d.Kind, d.src, d.again = "parquet", src, true
	var classes classSet
	add := func(name, root string, f randomFile, size int64) error {
		src.close = append(src.close, f)
		if err := ctx.Err(); err != nil {
			return err
		}
		return d.addTable(src, &classes, name, root, f, size)
	}
	if in.tree == nil {
		f := in.file
		in.take()
		if err := add(filepath.Base(d.Path), filepath.Dir(d.Path), f, in.info.Size()); err != nil {
			return fmt.Errorf("%s: %w", d.Path, err)
		}
	} else {
		t, list := in.tree, in.list
		src.close = append(src.close, in.take())
		slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		for _, e := range list {
			if e.dir || !isParquet(e.name) {
				continue
			}
			f, size, err := t.random(e)
			if err == nil {
				root := ""
				if dir, ok := t.(dirTree); ok {
					root = filepath.Dir(dir.path(e))
				}
				err = add(e.name, root, f, size)
			}
			if err != nil {
				return fmt.Errorf("%s: %s: %w", d.Path, e.name, err)
			}
		}
	}
	classes.settle(d)
	return cmp.Or(d.allLabelled("a column of labels"), d.sortSplits())
}

// allLabelled refuses a set in which some images have labels and others none.
func (d *Dataset) allLabelled(wanted string) error {
	none := slices.Index(d.Classes, unlabelled)
	if none < 0 || len(d.Classes) == 1 {
		return nil
	}
	i := slices.IndexFunc(d.Samples, func(s Sample) bool { return s.Label == none })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%s: %s has no label, and others do; wanted %s for all, or for none", d.Path, d.Samples[i].ID, wanted)
}

// sortSplits puts splits in their order; of files all have to be of a split, or none.
func (d *Dataset) sortSplits() error {
	slices.SortStableFunc(d.Splits, func(a, b string) int {
		return cmp.Compare(uint(slices.Index(folderSplits, a)), uint(slices.Index(folderSplits, b)))
	})
	if i := slices.IndexFunc(d.Samples, func(s Sample) bool { return s.Split == "" }); i >= 0 && len(d.Splits) > 0 {
		return fmt.Errorf("%s: %s is of no split by its file's name, others are (%s)", d.Path, d.Samples[i].ID, strings.Join(d.Splits, ", "))
	}
	return nil
}

// splitOfPath is the split that a file's name tells, or the folder's that it lies in.
func splitOfPath(name string) string {
	for ; name != "." && name != "/"; name = path.Dir(name) {
		if split, _, ok := splitOf(path.Base(name)); ok {
			return split
		}
	}
	return ""
}

// addTable adds the rows of a parquet file; paths in it start at root, "" inside an archive.
func (d *Dataset) addTable(src *parquetSource, classes *classSet, name, root string, f io.ReaderAt, size int64) error {
	t, err := openParquet(f, size)
	if err != nil {
		return err
	}
	if len(t.otherLabels) > 0 && len(src.tables) == 0 {
		d.warn("%s: labels are those of column %s; others are not read: %s", d.Path, t.labelName, shorten(t.otherLabels))
	}
	rows, err := t.readRows(name)
	if err != nil {
		return err
	}
	if t.files >= 0 && root == "" {
		return errors.New("its images are files elsewhere, which is not read inside an archive; unpack it first")
	}
	t.root, t.paths = root, rows.files
	if rows.other != "" {
		d.warn("%s: column split of %s is not read: %q is no split", d.Path, name, rows.other)
	}
	for _, c := range t.labels { // those without images too
		classes.add(c)
	}
	for row := range t.total {
		id, split, label := rows.at(row)
		if fault := labelFault(label); fault != "" {
			if err := d.bad(d.Path, id, "label in column "+t.labelName+" "+fault+", or no class's number"); err != nil {
				return err
			}
			continue
		}
		d.Samples = append(d.Samples, Sample{ID: id, Split: split, Label: classes.add(label)})
		src.at = append(src.at, parquetRow{int32(len(src.tables)), int32(row)})
		if split != "" && !slices.Contains(d.Splits, split) {
			d.Splits = append(d.Splits, split)
		}
	}
	src.tables = append(src.tables, t)
	return nil
}
