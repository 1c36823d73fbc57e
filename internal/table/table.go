// Package table writes rows of a struct twice, as CSV for people and as Parquet for
// programs, and reads the Parquet file back.
//
// Columns are the struct's fields, those of embedded structs included, named by their
// parquet tags. A field of numbers in a list is one list column of the Parquet file and
// as many columns of the CSV as the caller names.
package table

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"graft/internal/atomicfile"
)

// Extensions of the two files of a table.
const (
	CSV     = ".csv"
	Parquet = ".parquet"
)

// batch is the rows on their way at a time, and groupRows those of a row group, which
// the Parquet writer holds in memory.
const (
	batch     = 1 << 10
	groupRows = 1 << 17
)

// Write writes base.csv and base.parquet, each whole or not at all, and tells how many
// rows there were. Equal rows give equal bytes. lists names the CSV's columns of a
// field that is a list.
func Write[T any](base string, lists []string, rows iter.Seq[T]) (n int, err error) {
	text, err := atomicfile.Create(base + CSV)
	if err != nil {
		return 0, err
	}
	defer text.Abort()
	data, err := atomicfile.Create(base + Parquet)
	if err != nil {
		return 0, err
	}
	defer data.Abort()
	if n, err = write(text, data, lists, rows); err != nil {
		return 0, fmt.Errorf("write %s: %w", base, err)
	}
	if err := text.Commit(); err != nil {
		return 0, err
	}
	return n, data.Commit()
}

func write[T any](text, data io.Writer, lists []string, rows iter.Seq[T]) (n int, err error) {
	buffered := bufio.NewWriterSize(data, 1<<16)
	p := parquet.NewGenericWriter[T](buffered, parquet.CreatedBy("graft", "1", "0"),
		parquet.Compression(&snappy.Codec{}), parquet.MaxRowsPerRowGroup(groupRows))
	c := newCSV(text, reflect.TypeFor[T]())
	if err := c.w.Write(c.header(lists)); err != nil {
		return 0, err
	}
	var some []T
	flush := func() error {
		_, err := p.Write(some)
		n, some = n+len(some), some[:0]
		return err
	}
	for r := range rows {
		if err := c.write(reflect.ValueOf(r)); err != nil {
			return 0, err
		}
		if some = append(some, r); len(some) == batch {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	c.w.Flush()
	return n, errors.Join(flush(), c.w.Error(), p.Close(), buffered.Flush())
}

// csvTable writes structs as CSV.
type csvTable struct {
	w      *csv.Writer
	fields []reflect.StructField
	record []string
}

func newCSV(w io.Writer, of reflect.Type) *csvTable {
	t := &csvTable{w: csv.NewWriter(w)}
	for _, f := range reflect.VisibleFields(of) {
		if !f.Anonymous {
			t.fields = append(t.fields, f)
		}
	}
	return t
}

func (t *csvTable) header(lists []string) []string {
	t.record = t.record[:0]
	for _, f := range t.fields {
		if f.Type.Kind() == reflect.Slice {
			t.record = append(t.record, lists...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		t.record = append(t.record, name)
	}
	return t.record
}

func (t *csvTable) write(row reflect.Value) error {
	t.record = t.record[:0]
	for _, f := range t.fields {
		v := row.FieldByIndex(f.Index)
		if v.Kind() != reflect.Slice {
			t.record = append(t.record, cell(v))
			continue
		}
		for i := range v.Len() {
			t.record = append(t.record, cell(v.Index(i)))
		}
	}
	return t.w.Write(t.record)
}

// cell has as many digits as it takes to read the number back exactly.
func cell(v reflect.Value) string {
	switch {
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanFloat():
		return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
	}
	return v.String()
}

// Read gives the rows of a Parquet file that Write wrote, one after the other. An error
// ends them.
func Read[T any](path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := read(path, func(r T) bool { return yield(r, nil) }); err != nil {
			yield(*new(T), fmt.Errorf("%s: %w", path, err))
		}
	}
}

func read[T any](path string, yield func(T) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var file *parquet.File
	err = guard(func() (err error) {
		file, err = parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		return fmt.Errorf("malformed parquet file: %w", err)
	}
	if want := parquet.SchemaOf(*new(T)); !parquet.EqualNodes(file.Schema(), want) {
		return fmt.Errorf("columns are %v; wanted %v", file.Schema(), want)
	}
	r := parquet.NewGenericReader[T](file)
	defer r.Close()
	some := make([]T, batch)
	for {
		n := 0
		err := guard(func() (err error) { n, err = r.Read(some); return err })
		for _, row := range some[:n] {
			if !yield(row) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// guard turns a panic of the parquet library on damaged bytes into an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed parquet file: %v", p)
		}
	}()
	return f()
}
