package dataset

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"graft/internal/atomicfile"
	"graft/preprocess/duplicate"
)

// recordColumns are those of a split record, a CSV: key and print of an image in
// hexadecimal, its group by Ref.GroupBy, and its split.
var recordColumns = []string{"key", "print", "group", "split"}

// shareRecord is which split images were given, in the order of their coming.
type shareRecord struct {
	contents []duplicate.Content
	splits   []string
}

// followRecord gives samples the split that is recorded of their image, else that of the
// first of their group, near duplicates and Ref.GroupBy's alike, and records what is new.
func (d *Dataset) followRecord(path string, contents []duplicate.Content) error {
	r, err := readRecord(path)
	if err != nil {
		return fmt.Errorf("split record %s: %w", path, err)
	}
	old := len(r.splits)
	known := map[duplicate.Key]int{}
	for i, c := range r.contents {
		known[c.Key] = i
	}
	groups := duplicate.Groups(append(slices.Clone(r.contents), contents...))[old:]
	first := map[int]string{} // split of a group without records, by its first sample
	for i, c := range contents {
		s := &d.Samples[i]
		at, seen := known[c.Key]
		group := groups[i]
		switch {
		case !c.Known():
			continue
		case seen:
			s.Split = r.splits[at]
		case group < old:
			s.Split = r.splits[group]
		case first[group] != "":
			s.Split = first[group]
		default:
			first[group] = s.Split
		}
		if !seen {
			known[c.Key] = len(r.splits)
			r.contents, r.splits = append(r.contents, c), append(r.splits, s.Split)
		}
	}
	if len(r.splits) == old {
		return nil
	}
	return r.write(path)
}

// readRecord reads a record; where there is none yet it is empty.
func readRecord(path string) (r shareRecord, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	c := csv.NewReader(f)
	c.FieldsPerRecord = len(recordColumns)
	for line := 1; ; line++ {
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil:
			return r, err
		case line == 1 && !slices.Equal(row, recordColumns):
			return r, fmt.Errorf("line 1: columns %q, want %q", row, recordColumns)
		case line == 1:
			continue
		}
		content, err := parseContent(row)
		if err != nil || !slices.Contains(folderSplits, row[3]) {
			return r, fmt.Errorf("line %d: want a key of 32 and a print of 128 hexadecimal digits, a group, and a split of train, val, test", line)
		}
		r.contents, r.splits = append(r.contents, content), append(r.splits, row[3])
	}
}

func parseContent(row []string) (duplicate.Content, error) {
	r := duplicate.Record{Name: row[2]}
	key, err1 := hex.DecodeString(row[0])
	print, err2 := hex.DecodeString(row[1])
	if err := errors.Join(err1, err2); err != nil || len(key) != len(r.Key) || len(print) != len(r.Print) {
		return duplicate.Content{}, fmt.Errorf("%d and %d digits: %w", len(row[0]), len(row[1]), err)
	}
	copy(r.Key[:], key)
	copy(r.Print[:], print)
	return r.Content(), nil
}

// write writes all anew, so that a record is whole or as it was.
func (r shareRecord) write(path string) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := csv.NewWriter(f)
	_ = w.Write(recordColumns) // told by Error
	for i, c := range r.contents {
		rec := c.Record()
		_ = w.Write([]string{hex.EncodeToString(rec.Key[:]), hex.EncodeToString(rec.Print[:]), c.Group, r.splits[i]})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return f.Commit()
}
