// Package parquetfile writes and reads small tables as parquet files, the same bytes
// for the same records whatever build wrote them.
package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"graft/internal/plural"
)

// Options are those of every writer.
func Options() []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.CreatedBy("graft", "1", "0"),
		parquet.Compression(&snappy.Codec{}),
	}
}

// Write writes records whose struct tags name the columns.
func Write[T any](w io.Writer, records []T) error {
	pw := parquet.NewGenericWriter[T](w, Options()...)
	if _, err := pw.Write(records); err != nil {
		return err
	}
	return pw.Close()
}

// CheckFooter tells whether a file of size bytes can end in the footer that it claims, and whether that can hold what it
// claims: the parquet library takes memory for either before it reads.
func CheckFooter(r io.ReaderAt, size int64) error {
	var foot [8]byte
	if _, err := r.ReadAt(foot[:], max(0, size-8)); err != nil && err != io.EOF || string(foot[4:]) != "PAR1" || int64(binary.LittleEndian.Uint32(foot[:])) > size-12 {
		return errors.New("parquet file is cut short or damaged: its end is no footer")
	}
	n := int64(binary.LittleEndian.Uint32(foot[:]))
	if n > maxFooter {
		return fmt.Errorf("parquet file with a footer of %d bytes, want %d at most", n, maxFooter)
	}
	data := make([]byte, n)
	if _, err := r.ReadAt(data, size-8-n); err != nil && err != io.EOF {
		return err
	}
	if _, err := walk(data, nil); err != nil {
		return fmt.Errorf("parquet file's footer: %w", err)
	}
	return nil
}

// maxFooter bounds what is read of a file before anything else: 100,000 columns in all row groups.
const maxFooter = 16 << 20

// maxRowsPerByte bounds how many rows a file claims for its size: each takes some bits of its own.
const maxRowsPerByte = 64

// ErrColumns is wrapped by the error for a file of other columns than the record's.
var ErrColumns = errors.New("other columns")

// Read reads exactly want records, or all where want is -1. The parquet library may
// panic on damaged bytes, which is turned into an error.
func Read[T any](data []byte, want int) (records []T, err error) {
	defer func() {
		if p := recover(); p != nil {
			records, err = nil, fmt.Errorf("malformed parquet file: %v", p)
		}
	}()
	if err := CheckFooter(bytes.NewReader(data), int64(len(data))); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("malformed parquet file: %w", err)
	}
	if want == -1 {
		want = int(f.NumRows())
	}
	if f.NumRows() > maxRowsPerByte*int64(len(data)) {
		return nil, fmt.Errorf("malformed parquet file: %s in %s", plural.Of(f.NumRows(), "row"), plural.Of(len(data), "byte"))
	}
	if want < 0 || f.NumRows() != int64(want) {
		return nil, fmt.Errorf("%s, wanted %d", plural.Of(f.NumRows(), "row"), want)
	}
	if err := checkAll(bytes.NewReader(data), f); err != nil {
		return nil, err
	}
	if schema := parquet.SchemaOf(*new(T)); !parquet.EqualNodes(f.Schema(), schema) {
		return nil, fmt.Errorf("%w: %v; wanted %v", ErrColumns, f.Schema(), schema)
	}
	r := parquet.NewGenericReader[T](f)
	defer r.Close()
	records = make([]T, want)
	if n, err := r.Read(records); n != want || (err != nil && !errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("%s could be read, wanted %d: %w", plural.Of(n, "row"), want, err)
	}
	return records, nil
}
