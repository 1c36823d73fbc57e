package store

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/plural"
)

// ExportOptions choose what Export writes.
type ExportOptions struct {
	Taps  []string // in the words of package taps; none: all
	Split string   // "": all
	Flip  bool     // the features of the mirrored images
	Force bool     // replace a file that is there
}

// Exported is what Export wrote.
type Exported struct {
	Path  string
	Rows  int
	Shape []int // of a row's features
	Taps  []string
	Bytes int64
}

// String is for people.
func (e Exported) String() string {
	shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(e.Shape), "[]"), " ", "×")
	return fmt.Sprintf("%s: %s of %s float32 (%s), %.1f MB", e.Path, plural.Of(e.Rows, "row"), shape, strings.Join(e.Taps, ", "), float64(e.Bytes)/1e6)
}

// sink takes exported rows shard by shard: x is [len(rows), dim].
type sink interface {
	write(rows []Row, x []float32) error
	close() error
}

// Export writes features to one file, by its extension: .npy (float32
// [rows, D], the rows in the order of Rows, or one tap [rows, T, D]), .parquet (index, id, split, label,
// label_name, content_key and the column features, lists of one length; its metadata is a FileInfo) or .csv (without the key,
// one column for each value, named <tap>_0 …). The file appears whole or not at all, and one that is there stays
// unless ExportOptions.Force is said. Memory is bounded by one shard.
func (s *Store) Export(ctx context.Context, path string, o ExportOptions, progress func(done, total int64)) (Exported, error) {
	sel, err := s.choose(o.Taps, o.Split, o.Flip)
	if err != nil {
		return Exported{}, err
	}
	header := npyHeader{Float32, 0, []int{sel.dim}}
	if err := sel.vectors(s.dir); err != nil {
		if len(sel.taps) > 1 || !strings.EqualFold(filepath.Ext(path), ".npy") {
			return Exported{}, fmt.Errorf("export to %s: %w", path, err)
		}
		header.shape = sel.taps[0].Row()
		sel.cut(max(1, exportBytes/4/sel.dim))
	}
	for _, p := range sel.parts {
		header.rows += len(p.rows)
	}
	done := Exported{Path: path, Rows: header.rows, Shape: header.shape}
	for _, t := range sel.taps {
		done.Taps = append(done.Taps, t.Name)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !o.Force {
		return Exported{}, fmt.Errorf("%s is there already; choose another --out, or replace it with --force", path)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return Exported{}, err
	}
	defer f.Abort()
	count := &counted{w: f}
	w := bufio.NewWriterSize(count, 1<<20)
	info := s.fileInfo(sel, o.Split)
	out, err := newSink(path, w, sel, header, info)
	if err != nil {
		return Exported{}, err
	}
	if err := cmp.Or(s.exportTo(ctx, out, sel, header.rows, progress), w.Flush()); err != nil {
		return Exported{}, fmt.Errorf("export to %s: %w", path, err)
	}
	if _, ok := out.(*parquetSink); ok && f.Temporary() {
		if err := info.readBack(f.Name(), header.rows); err != nil {
			return Exported{}, fmt.Errorf("export to %s: %w", path, err)
		}
	}
	done.Bytes = count.n
	return done, f.Commit()
}

// counted counts the bytes that go to w.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// exportBytes bounds what of tokens is in memory at once.
const exportBytes = 64 << 20

// cut makes parts of at most n rows.
func (sel *selection) cut(n int) {
	var parts []part
	for _, p := range sel.parts {
		for rows := range slices.Chunk(p.rows, n) {
			parts = append(parts, part{p.shard, p.base, rows})
		}
	}
	sel.parts = parts
}

func newSink(path string, w io.Writer, sel *selection, header npyHeader, info FileInfo) (sink, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".npy":
		_, err := w.Write(header.encode())
		return &npySink{w: w, dim: sel.dim}, err
	case ".parquet":
		return newParquetSink(w, sel.dim, info)
	case ".csv":
		return newCSVSink(w, sel)
	}
	return nil, fmt.Errorf("export to %s: the extension must be .npy, .parquet or .csv", path)
}

func (s *Store) exportTo(ctx context.Context, out sink, sel *selection, total int, progress func(done, total int64)) error {
	done := 0
	var x []float32
	for _, p := range sel.parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		x = slices.Grow(x[:0], len(p.rows)*sel.dim)[:len(p.rows)*sel.dim]
		for t := range sel.taps {
			if err := s.readTap(sel, p, t, x); err != nil {
				return err
			}
		}
		rows := make([]Row, len(p.rows))
		for i, r := range p.rows {
			rows[i] = s.rows[p.base+r]
		}
		if err := out.write(rows, x); err != nil {
			return err
		}
		if done += len(rows); progress != nil {
			progress(int64(done), int64(total))
		}
	}
	return out.close()
}

type npySink struct {
	w   io.Writer
	dim int
	buf []byte
}

func (s *npySink) write(rows []Row, x []float32) (err error) {
	for i := range rows {
		if s.buf, err = Float32.appendRow(s.buf[:0], x[i*s.dim:(i+1)*s.dim]); err != nil {
			return err
		}
		if _, err := s.w.Write(s.buf); err != nil {
			return err
		}
	}
	return nil
}

func (s *npySink) close() error { return nil }

type csvSink struct {
	w   *csv.Writer
	dim int
	rec []string
}

func newCSVSink(w io.Writer, sel *selection) (*csvSink, error) {
	s := &csvSink{w: csv.NewWriter(w), dim: sel.dim}
	s.rec = []string{"index", "id", "split", "label", "label_name"}
	for _, t := range sel.taps {
		for i := range t.Dim {
			s.rec = append(s.rec, t.Name+"_"+strconv.Itoa(i))
		}
	}
	return s, s.w.Write(s.rec)
}

// write formats values with as many digits as it takes to read them back exactly.
func (s *csvSink) write(rows []Row, x []float32) error {
	for i, r := range rows {
		s.rec = append(s.rec[:0], strconv.Itoa(r.Index), r.ID, r.Split, strconv.Itoa(r.Label), r.LabelName)
		for _, v := range x[i*s.dim : (i+1)*s.dim] {
			s.rec = append(s.rec, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		if err := s.w.Write(s.rec); err != nil {
			return err
		}
	}
	return nil
}

func (s *csvSink) close() error {
	s.w.Flush()
	return s.w.Error()
}
