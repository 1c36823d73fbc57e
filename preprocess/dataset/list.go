package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"graft/internal/regular"
	"graft/preprocess"
)

// ListPrefix opens a list: "list:" and the path of a text file, plain or in
// gzip, with one image a line, path[,label[,split]]. Fields follow CSV's rules of
// quotes, or are parted by tabs or, behind an image's name, by blanks; empty lines and those that start with # do not count. The first line
// may be a header of these names in any order, and of the column of Ref.GroupBy.
//
// Relative paths start at the list's folder. The order is the list's, and a path
// may come again. Lists without labels have the one class "unlabelled", lists
// without splits the one split train; but what the first image has, all must
// have. Classes are sorted by name, by number where all are numbers.
//
// Opening does not look at the images: one that is missing or broken is a
// *preprocess.BadImageError of Dataset.Image, or found by Ref.Verify.
const ListPrefix = "list:"

// Bounds of a list.
const (
	maxListLine    = 16 << 10
	maxListClasses = 1 << 16
	maxListSplits  = 64
)

// listSource opens the files that the samples' IDs name.
type listSource struct {
	root string
	d    *Dataset
}

func (s *listSource) path(i int) string {
	p := filepath.FromSlash(s.d.Samples[i].ID)
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.root, p)
}

func (s *listSource) image(ctx context.Context, i int) (preprocess.Image, error) {
	return decode(ctx, s, i)
}

func (s *listSource) open(i int) (io.ReadCloser, error) { return openRegular(s.path(i)) }

func (s *listSource) size(i int) (int64, error) { return regularSize(s.path(i)) }

// keep has nothing to do: all that the source knows are the samples' IDs.
func (s *listSource) keep([]int) {}

func (s *listSource) Close() error { return nil }

// listForm is a list of image files.
type listForm struct{ ofFiles }

// sniff also takes a file without the word whose first line is an image's, or a header
// with a path.
func (listForm) sniff(in *input) bool {
	if strings.HasPrefix(in.Path, ListPrefix) || in.info == nil || in.tree != nil {
		return strings.HasPrefix(in.Path, ListPrefix)
	}
	line, _, _ := bytes.Cut(bytes.TrimPrefix(in.head, []byte("\xef\xbb\xbf")), []byte{'\n'})
	fields, err := splitList(bytes.TrimSpace(line), nil)
	if err != nil || len(fields) == 0 || !utf8.Valid(line) {
		return false
	}
	return isImage(string(fields[0])) || slices.ContainsFunc(fields, func(f []byte) bool { return strings.EqualFold(string(bytes.TrimSpace(f)), listColumns[0]) })
}

// open reads the list twice: the number of lines tells the index's size, which
// growing would double for a while.
func (listForm) open(ctx context.Context, d *Dataset, in *input) error {
	_, path := in.cut()
	d.Kind, d.src, d.again = "list", &listSource{filepath.Dir(path), d}, true
	lines := 0
	if err := readList(ctx, path, func(int64, int64) {}, func(int, []byte) error { lines++; return nil }); err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	if lines > maxMembers {
		return fmt.Errorf("%s: list has more than %d lines", d.Path, maxMembers)
	}
	d.Samples = make([]Sample, 0, lines)
	l := &listReader{d: d, splits: map[string]string{}, groups: map[string]string{}}
	if group, err := Grouper(in.GroupBy); err != nil {
		return err
	} else if group == nil {
		l.groupBy = strings.ToLower(in.GroupBy)
	}
	if err := readList(ctx, path, in.progress, l.line); err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	l.settle()
	return nil
}

// readList calls f with every line that counts and its number from 1, without
// line end. The bytes are f's until it returns.
func readList(ctx context.Context, path string, progress func(done, total int64), f func(n int, line []byte) error) error {
	info, err := os.Stat(path) // before opening: a pipe would wait for a writer
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("list is not a regular file but " + regular.Kind(info.Mode()))
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	stream, err := unpacked(bufio.NewReader(&countingReader{ctx: ctx, r: file, total: info.Size(), progress: progress}))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(&cappedReader{r: stream, left: maxCSVBytes})
	lines.Buffer(make([]byte, maxListLine), maxListLine)
	n := 0
	for lines.Scan() {
		n++
		line := lines.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		if err := f(n, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes; is it a list of images?", n+1, maxListLine)
	} else if err != nil {
		return listFault(n+1, err)
	}
	return nil
}

// unpacked undoes gzip.
func unpacked(r *bufio.Reader) (io.Reader, error) {
	if head, err := r.Peek(2); err != nil || !bytes.Equal(head, gzipMagic) {
		return r, nil // what cannot be read is told by reading
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w (file is truncated or damaged)", err)
	}
	return z, nil
}

// listReader makes samples of lines. What samples share is stored once.
type listReader struct {
	d       *Dataset
	columns []int  // of path, label, split and group, -1 for none; nil before the first line
	groupBy string // the name of the last
	fields  [][]byte
	ids     arena
	classes classSet
	splits  map[string]string // as written → as called here
	groups  map[string]string // each once
}

// arena keeps many short strings in few blocks.
type arena struct{ block strings.Builder }

func (a *arena) keep(s []byte) string {
	const size = 1 << 20
	if a.block.Cap()-a.block.Len() < len(s) {
		a.block = strings.Builder{}
		a.block.Grow(max(size, len(s)))
	}
	at := a.block.Len()
	a.block.Write(s)
	return a.block.String()[at:]
}

func (l *listReader) line(n int, line []byte) error {
	var err error
	if l.fields, err = splitList(line, l.fields[:0]); err == nil {
		if l.columns == nil {
			var header bool
			if header, err = l.start(); header || err != nil {
				return listFault(n, err)
			}
		}
		err = l.add()
	}
	var fault lineError
	if errors.As(err, &fault) && l.d.skipBad {
		return l.d.leaveOut("line "+strconv.Itoa(n), fault.Error())
	}
	return listFault(n, err)
}

func listFault(n int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", n, err)
}

// settle orders classes and splits.
func (l *listReader) settle() {
	l.classes.settle(l.d)
	place := func(s string) uint { return uint(slices.Index(folderSplits, s)) } // -1 becomes the last
	slices.SortStableFunc(l.d.Splits, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
}
