package store

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"graft/internal/parquetfile"
	"graft/preprocess/duplicate"
)

// Row says which sample a row of the features belongs to.
type Row struct {
	Index     int    // position in the dataset
	ID        string // the dataset's name of the sample
	Split     string
	Label     int
	LabelName string
	Content   duplicate.Content // of its image; unknown in stores of before it was kept
	Group     int               // where the store is Grouped: the first of the rows that are the same as this one
}

// metaRow is a Row as a parquet record.
type metaRow struct {
	Index     int64  `parquet:"index"`
	ID        string `parquet:"id"`
	Split     string `parquet:"split,dict"`
	Label     int32  `parquet:"label"`
	LabelName string `parquet:"label_name,dict"`
}

// contentRow is a metaRow that also tells the image.
type contentRow struct {
	metaRow
	duplicate.Record
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

// writeMeta writes rows as a parquet file, with contents if any is known.
func writeMeta(w io.Writer, rows []Row) error {
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Content != (duplicate.Content{}) }) {
		records := make([]metaRow, len(rows))
		for i, r := range rows {
			records[i] = r.record()
		}
		return parquetfile.Write(w, records)
	}
	records := make([]contentRow, len(rows))
	for i, r := range rows {
		records[i] = contentRow{r.record(), r.Content.Record()}
	}
	return parquetfile.Write(w, records)
}

// writeBad writes meta/errors.parquet.
func writeBad(w io.Writer, bad []BadRow) error {
	records := make([]badRecord, len(bad))
	for i, b := range bad {
		records[i] = badRecord{int64(b.Index), b.ID, b.Split, int32(b.Label), b.Reason}
	}
	return parquetfile.Write(w, records)
}

// readMeta reads what writeMeta wrote: exactly want rows, labels within classes.
func readMeta(data []byte, want int, classes []string) ([]Row, error) {
	records, err := parquetfile.Read[contentRow](data, want)
	if errors.Is(err, parquetfile.ErrColumns) {
		var plain []metaRow
		plain, err = parquetfile.Read[metaRow](data, want)
		records = make([]contentRow, len(plain))
		for i, r := range plain {
			records[i].metaRow = r
		}
	}
	if err != nil {
		return nil, err
	}
	rows := make([]Row, want)
	for i, m := range records {
		if m.Label < 0 || int(m.Label) >= len(classes) || classes[m.Label] != m.LabelName {
			return nil, fmt.Errorf("row %d has label %d (%q), which is not one of the %d classes", i, m.Label, m.LabelName, len(classes))
		}
		rows[i] = Row{Index: int(m.Index), ID: m.ID, Split: m.Split, Label: int(m.Label), LabelName: classes[m.Label], Content: m.Content()}
	}
	return rows, nil
}

// readBad reads what writeBad wrote: exactly want rows.
func readBad(data []byte, want int) ([]BadRow, error) {
	records, err := parquetfile.Read[badRecord](data, want)
	if err != nil {
		return nil, err
	}
	bad := make([]BadRow, want)
	for i, r := range records {
		bad[i] = BadRow{int(r.Index), r.ID, r.Split, int(r.Label), r.Reason}
	}
	return bad, nil
}
