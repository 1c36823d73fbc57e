// Package table writes rows of a struct twice, as CSV for people and as Parquet for
// programs, which package parquetfile reads.
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
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"graft/internal/atomicfile"
	"graft/internal/parquetfile"
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
	p := parquet.NewGenericWriter[T](buffered, append(parquetfile.Options(), parquet.MaxRowsPerRowGroup(groupRows))...)
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
