package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

// Row says which sample a row of the features belongs to.
type Row struct {
	Index     int    // position in the dataset
	ID        string // the dataset's name of the sample
	Split     string
	Label     int
	LabelName string
}

// metaRow is a Row as a parquet record.
type metaRow struct {
	Index     int64  `parquet:"index"`
	ID        string `parquet:"id"`
	Split     string `parquet:"split,dict"`
	Label     int32  `parquet:"label"`
	LabelName string `parquet:"label_name,dict"`
}

func (r Row) record() metaRow {
	return metaRow{int64(r.Index), r.ID, r.Split, int32(r.Label), r.LabelName}
}

// BadRow is a sample that was left out.
type BadRow struct {
	Index  int    `json:"index"` // position in the dataset
	ID     string `json:"id"`
	Split  string `json:"split"`
	Label  int    `json:"label"`
	Reason string `json:"reason"` // short, the same on every machine
}

// errorsPath is the file of the samples that were left out; a store that holds
// all has none.
const errorsPath = metaFolder + "/errors.parquet"

// badRecord is a BadRow as a parquet record.
type badRecord struct {
	Index  int64  `parquet:"index"`
	ID     string `parquet:"id"`
	Split  string `parquet:"split,dict"`
	Label  int32  `parquet:"label"`
	Reason string `parquet:"reason,dict"`
}

// writerOptions give the same bytes for the same rows, whatever build wrote them.
func writerOptions() []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.CreatedBy("graft", "1", "0"),
		parquet.Compression(&snappy.Codec{}),
	}
}

// writeMeta writes rows as a parquet file.
func writeMeta(w io.Writer, rows []Row) error {
	records := make([]metaRow, len(rows))
	for i, r := range rows {
		records[i] = r.record()
	}
	return writeParquet(w, records)
}

// writeBad writes meta/errors.parquet.
func writeBad(w io.Writer, bad []BadRow) error {
	records := make([]badRecord, len(bad))
	for i, b := range bad {
		records[i] = badRecord{int64(b.Index), b.ID, b.Split, int32(b.Label), b.Reason}
	}
	return writeParquet(w, records)
}

func writeParquet[T any](w io.Writer, records []T) error {
	pw := parquet.NewGenericWriter[T](w, writerOptions()...)
	if _, err := pw.Write(records); err != nil {
		return err
	}
	return pw.Close()
}

// readMeta reads what writeMeta wrote: exactly want rows, labels within classes.
func readMeta(data []byte, want int, classes []string) ([]Row, error) {
	records, err := readParquet[metaRow](data, want)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, want)
	for i, m := range records {
		if m.Label < 0 || int(m.Label) >= len(classes) || classes[m.Label] != m.LabelName {
			return nil, fmt.Errorf("row %d has label %d (%q), which is not one of the %d classes", i, m.Label, m.LabelName, len(classes))
		}
		rows[i] = Row{int(m.Index), m.ID, m.Split, int(m.Label), classes[m.Label]}
	}
	return rows, nil
}

// readBad reads what writeBad wrote: exactly want rows.
func readBad(data []byte, want int) ([]BadRow, error) {
	records, err := readParquet[badRecord](data, want)
	if err != nil {
		return nil, err
	}
	bad := make([]BadRow, want)
	for i, r := range records {
		bad[i] = BadRow{int(r.Index), r.ID, r.Split, int(r.Label), r.Reason}
	}
	return bad, nil
}

// readParquet reads exactly want records. The parquet library may panic on damaged
// bytes, which is turned into an error.
func readParquet[T any](data []byte, want int) (records []T, err error) {
	defer func() {
		if p := recover(); p != nil {
			records, err = nil, fmt.Errorf("malformed parquet file: %v", p)
		}
	}()
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("malformed parquet file: %w", err)
	}
	if f.NumRows() != int64(want) {
		return nil, fmt.Errorf("%d rows, wanted %d", f.NumRows(), want)
	}
	if schema := parquet.SchemaOf(*new(T)); !parquet.EqualNodes(f.Schema(), schema) {
		return nil, fmt.Errorf("columns are %v; wanted %v", f.Schema(), schema)
	}
	r := parquet.NewGenericReader[T](f)
	defer r.Close()
	records = make([]T, want)
	if n, err := r.Read(records); n != want || (err != nil && !errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("%d rows could be read, wanted %d: %w", n, want, err)
	}
	return records, nil
}
