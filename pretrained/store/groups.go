package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"graft/internal/parallel"
	"graft/internal/parquetfile"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// groupsPath is the file of which rows are the same.
const groupsPath = "groups.parquet"

// groupRow is a row's group as a parquet record: the number of the group's first
// row, counted in the order of Store.Rows.
type groupRow struct {
	Index int64 `parquet:"index"`
	duplicate.Record
	Group int64 `parquet:"group"`
}

// Look tells the content of the image at a position in the dataset.
type Look func(ctx context.Context, index int) (duplicate.Content, error)

// Grouped tells whether it is known which rows are the same. In a store of before
// that was kept it is not, until the same extraction has run again.
func (s *Store) Grouped() bool { return s.manifest.Groups != "" }

// readGroups gives the rows what groups.parquet says of them.
func (s *Store) readGroups() error {
	if !s.Grouped() {
		return nil
	}
	data, err := s.readHashed(groupsPath, s.manifest.Groups)
	if err != nil {
		return err
	}
	records, err := parquetfile.Read[groupRow](data, len(s.rows))
	if err != nil {
		return fmt.Errorf("%s: %w", groupsPath, err)
	}
	for i, r := range records {
		if r.Group < 0 || r.Group > int64(i) || int(r.Index) != s.rows[i].Index {
			return fmt.Errorf("%s: row %d is of image %d in group %d, wanted image %d and a group from 0 to %d",
				groupsPath, i, r.Index, r.Group, s.rows[i].Index, i)
		}
		s.rows[i].Content, s.rows[i].Group = r.Content(), int(r.Group)
	}
	return nil
}

// GroupBy joins the rows in whose IDs a pattern finds one group, see dataset.Grouper,
// beside those that are the same. Nothing is written.
func (s *Store) GroupBy(pattern string) error {
	group, err := dataset.Grouper(pattern)
	if err == nil && group == nil {
		err = fmt.Errorf("group by %q: want a pattern with the group in parentheses, such as '^([^_]+)_'; columns are read by extract", pattern)
	}
	if err == nil && !s.Grouped() {
		err = errors.New("it is not known which rows are the same; the same graft extract again adds that")
	}
	for i := 0; err == nil && i < len(s.rows); i++ {
		s.rows[i].Content.Group, err = group(s.rows[i].ID)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", s.dir, err)
	}
	for i, g := range s.groupRows() {
		s.rows[i].Group = int(g.Group)
	}
	return nil
}

// writeGroups writes groups.parquet for the finished store, unless it is there, and
// returns its hash; "" where contents are missing and there is no look. begun is the
// manifest as it lies in the folder.
func (w *Writer) writeGroups(ctx context.Context, begun, whole *Manifest, look Look) (string, error) {
	if begun.Groups != "" && reflect.DeepEqual(begun.Shards, whole.Shards) &&
		(check{groupsPath, begun.Groups, noShard}).fault(ctx, w.dir) == nil {
		return begun.Groups, nil
	}
	s := &Store{dir: w.dir, manifest: whole}
	for i := range whole.Shards {
		if err := s.openShard(&whole.Shards[i]); err != nil {
			return "", err
		}
	}
	if ok, err := s.lookAtRows(ctx, look); err != nil || !ok {
		return "", err
	}
	var b bytes.Buffer
	if err := parquetfile.Write(&b, s.groupRows()); err != nil {
		return "", fmt.Errorf("%s: %w", groupsPath, err)
	}
	return hashOf(b.Bytes()), w.replace(groupsPath, b.Bytes())
}

// lookAtRows looks at the images whose content the shards do not say; false where
// that cannot be done.
func (s *Store) lookAtRows(ctx context.Context, look Look) (bool, error) {
	var missing []int
	for i, r := range s.rows {
		if !r.Content.Known() {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 && look == nil {
		return false, nil
	}
	return true, parallel.For(ctx, len(missing), nil, func(k int) (err error) {
		r := &s.rows[missing[k]]
		r.Content, err = look(ctx, r.Index)
		return err
	})
}

func (s *Store) groupRows() []groupRow {
	contents, records := make([]duplicate.Content, len(s.rows)), make([]groupRow, len(s.rows))
	for i, r := range s.rows {
		contents[i] = r.Content
	}
	for i, g := range duplicate.Groups(contents) {
		records[i] = groupRow{int64(s.rows[i].Index), contents[i].Record(), int64(g)}
	}
	return records
}
