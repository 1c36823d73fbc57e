package run

import (
	"bytes"
	"fmt"
	"path/filepath"

	"graft/internal/atomicfile"
	"graft/internal/parquetfile"
	"graft/preprocess/duplicate"
)

// maxSeen bounds seen.parquet: ten million images take as much.
const maxSeen = 1 << 30

// ReadSeen reads which images the run in dir was trained or chosen on; nil where
// that is not known, as of imported weights and of runs of before it was kept.
func ReadSeen(dir string) ([]duplicate.Content, error) {
	path := filepath.Join(dir, seenFile)
	data, err := readCapped(path, maxSeen)
	if err != nil || data == nil {
		return nil, err
	}
	records, err := parquetfile.Read[duplicate.Record](data, -1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	seen := make([]duplicate.Content, len(records))
	for i, r := range records {
		seen[i] = r.Content()
	}
	return seen, nil
}

// writeSeen writes a row for each image, in the order of training's rows.
func writeSeen(dir string, seen []duplicate.Content) error {
	records := make([]duplicate.Record, len(seen))
	for i, c := range seen {
		records[i] = c.Record()
	}
	var b bytes.Buffer
	path := filepath.Join(dir, seenFile)
	if err := parquetfile.Write(&b, records); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.WriteFile(path, b.Bytes())
}
