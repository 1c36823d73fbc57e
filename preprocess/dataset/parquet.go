package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"graft/internal/parquetfile"
	"graft/internal/plural"
	"graft/preprocess"
)

// parquetTable is a parquet file of images, as Hugging Face's datasets are kept: a column
// of files' bytes, and one of labels.
type parquetTable struct {
	file         *parquet.File
	from         io.ReaderAt // where it lies
	image, label int         // leaf columns; -1 where there is none
	path         int         // leaf column of the images' names, or -1
	id, split    int         // leaf columns of what rows are called, and of their splits, or -1
	files        int         // leaf column of paths of image files, where there is none of bytes, or -1
	paths        []string    // that column
	root         string      // where they start
	labelName    string
	labels       []string // names of classes by the numbers in the column, nil: what stands there
	otherLabels  []string // columns that could be labels too
	first        []int    // row of each row group
	total        int
	mutex        sync.Mutex
	pages        []parquetPage // read last, the newest first
	group        int           // that cursor is in
	next         int           // row of the group that cursor reads next
	cursor       parquet.Pages // of the images
}

// parquetPage is some rows' images in a row group.
type parquetPage struct {
	group, from int
	images      [][]byte // nil where the row has none
}

// keptPages bounds what is in memory, of about a megabyte each: rows are asked for about in
// their order, by several goroutines.
const keptPages = 8

// guarded turns the parquet library's panics on damaged bytes into errors.
func guarded(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("malformed parquet file: %v", p)
	}
}

// openParquet reads the schema and what it says of classes.
func openParquet(r io.ReaderAt, size int64) (t *parquetTable, err error) {
	defer guarded(&err)
	if err := parquetfile.CheckFooter(r, size); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("malformed parquet file: %w", err)
	}
	t = &parquetTable{file: f, from: r, image: -1, label: -1, path: -1, id: -1, split: -1, files: -1}
	for _, g := range f.RowGroups() {
		t.first = append(t.first, t.total)
		n := g.NumRows()
		if n < 0 || n > maxMembers-int64(t.total) {
			return nil, fmt.Errorf("more than %d rows", maxMembers)
		}
		t.total += int(n)
	}
	if int64(t.total) > size {
		return nil, fmt.Errorf("%s in %s", plural.Of(t.total, "row"), plural.Of(size, "byte"))
	}
	return t, t.findColumns()
}

// column reads a whole column as text, "" for nothing.
func (t *parquetTable) column(leaf int, text func(parquet.Value) string) (out []string, err error) {
	defer guarded(&err)
	names := map[string]string{} // each once, however many rows have it
	for i, g := range t.file.RowGroups() {
		pages := parquetfile.OpenPages(t.from, t.file, i, leaf)
		before := len(out)
		err := eachPage(pages, func(values []parquet.Value) {
			for _, v := range values {
				name := text(v)
				if _, known := names[name]; !known {
					names[name] = name
				}
				out = append(out, names[name])
			}
		}, int(g.NumRows()))
		if err = errors.Join(err, pages.Close()); err != nil {
			return nil, err
		}
		if len(out)-before != int(g.NumRows()) {
			return nil, fmt.Errorf("a column has %s, its group %d", plural.Of(len(out)-before, "row"), g.NumRows())
		}
	}
	return out, nil
}

// eachPage reads pages to their end, and no more than most values.
func eachPage(pages parquet.Pages, f func([]parquet.Value), most int) error {
	for most >= 0 {
		values, err := readPage(pages)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f(values)
		most -= len(values)
	}
	return errors.New("more values than rows")
}

// readPage reads the values of the next page.
func readPage(pages parquet.Pages) ([]parquet.Value, error) {
	page, err := pages.ReadPage()
	if err != nil {
		return nil, err
	}
	if page.NumValues() < 0 || page.NumValues() > maxMembers {
		return nil, fmt.Errorf("page of %d values", page.NumValues())
	}
	values := make([]parquet.Value, page.NumValues())
	n, err := page.Values().ReadValues(values)
	if err != nil && !errors.Is(err, io.EOF) || n != len(values) {
		return nil, fmt.Errorf("page of %d values gives %d: %w", len(values), n, err)
	}
	return values, nil
}

// labelText is a label's name, and what is wrong with it.
func (t *parquetTable) labelText(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return string(v.ByteArray())
	case v.Kind() == parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case v.Kind() == parquet.Float:
		return whole(float64(v.Float()))
	case v.Kind() == parquet.Double:
		return whole(v.Double())
	}
	n := v.Int64()
	if v.Kind() == parquet.Int32 {
		n = int64(v.Int32())
	}
	switch {
	case t.labels == nil:
		return strconv.FormatInt(n, 10)
	case n < 0 || n >= int64(len(t.labels)):
		return ""
	}
	return t.labels[n]
}

// read gives the file of a row, nil where there is none. It is safe for concurrent use.
func (t *parquetTable) read(row int) (data []byte, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	defer guarded(&err)
	group, ok := slices.BinarySearch(t.first, row)
	if !ok {
		group--
	}
	for group+1 < len(t.first) && t.first[group+1] <= row {
		group++ // groups may be empty
	}
	row -= t.first[group]
	for i, p := range t.pages {
		if p.group == group && row >= p.from && row < p.from+len(p.images) {
			t.pages = slices.Insert(slices.Delete(t.pages, i, i+1), 0, p)
			return p.images[row-p.from], nil
		}
	}
	if t.cursor == nil || t.group != group || t.next > row {
		if t.cursor != nil {
			_ = t.cursor.Close() // it only read
		}
		t.cursor, t.group, t.next = parquetfile.OpenPages(t.from, t.file, group, t.image), group, 0
	}
	for t.next <= row {
		values, err := readPage(t.cursor)
		if err != nil {
			t.cursor = nil
			return nil, fmt.Errorf("row group %d, row %d: %w", group, t.next, err)
		}
		p := parquetPage{group: group, from: t.next, images: make([][]byte, len(values))}
		t.next += len(values)
		kept := map[*byte][]byte{} // rows may share what a dictionary holds
		for i, v := range values {
			if v.IsNull() {
				continue
			}
			b := v.ByteArray()
			at := unsafe.SliceData(b)
			if kept[at] == nil || len(kept[at]) != len(b) {
				kept[at] = append([]byte{}, b...)
			}
			p.images[i] = kept[at]
		}
		t.pages = append([]parquetPage{p}, t.pages[:min(len(t.pages), keptPages-1)]...)
	}
	return t.pages[0].images[row-t.pages[0].from], nil
}

// errNoPath is the fault of a row of a table of paths.
var errNoPath = &preprocess.BadImageError{Reason: "the row has no path of an image"}

// errNoBytes is the fault of a row that has a path alone.
var errNoBytes = &preprocess.BadImageError{Reason: "the row has no bytes of an image"}
