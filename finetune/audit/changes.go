package audit

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/internal/atomicfile"
	"graft/preprocess/dataset"
)

// What a change does.
const (
	Drop    = "drop"
	Relabel = "relabel"
)

// Change is what to do with one row of a dataset.
type Change struct {
	Index  int // position in the dataset, -1: ID alone tells the row
	ID     string
	Change string // Drop or Relabel
	Label  string // the new one, "" for Drop
	Reason string // for people
}

var changeColumns = []string{"index", "id", "change", "new_label", "reason"}

// WriteChanges writes changes as CSV, for somebody to read and edit.
func WriteChanges(path string, changes []Change) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := csv.NewWriter(f)
	err = w.Write(changeColumns)
	for _, c := range changes {
		err = cmp.Or(err, w.Write([]string{strconv.Itoa(c.Index), c.ID, c.Change, c.Label, c.Reason}))
	}
	w.Flush()
	if err := cmp.Or(err, w.Error()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// ReadChanges reads what WriteChanges wrote and somebody edited: columns in any order,
// reason and new_label may be missing, and so may index or single ones where the id
// tells the row.
func ReadChanges(path string) ([]Change, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReader(f))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: header: %w", path, noEOF(err))
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at := map[string]int{}
	for i, name := range header {
		if name = strings.TrimSpace(name); !slices.Contains(changeColumns, name) {
			return nil, fmt.Errorf("%s: column %q; wanted %s", path, name, strings.Join(changeColumns, ", "))
		}
		at[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"id", "change"} {
		if _, there := at[name]; !there {
			return nil, fmt.Errorf("%s: no column %q; wanted %s", path, name, strings.Join(changeColumns, ", "))
		}
	}
	var changes []Change
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return changes, nil
		}
		line, _ := r.FieldPos(0)
		var c Change
		if err == nil {
			c, err = parseChange(record, at)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, line, err)
		}
		changes = append(changes, c)
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty")
	}
	return err
}

func parseChange(record []string, at map[string]int) (c Change, err error) {
	field := func(name string) string {
		if i, there := at[name]; there {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	c = Change{-1, record[at["id"]], field("change"), field("new_label"), field("reason")}
	if text := field("index"); text != "" {
		if c.Index, err = strconv.Atoi(text); err != nil || c.Index < -1 {
			return c, fmt.Errorf("index %q is no row's number", text)
		}
	}
	switch {
	case c.Change != Drop && c.Change != Relabel:
		return c, fmt.Errorf("change %q; wanted %s or %s (leave a row out to keep it)", c.Change, Drop, Relabel)
	case c.Change == Drop && c.Label != "":
		return c, fmt.Errorf("drop with new_label %q; is %s meant?", c.Label, Relabel)
	case c.Change == Relabel && c.Label == "":
		return c, errors.New("relabel without new_label")
	}
	return c, nil
}

// Apply changes a dataset: rows are dropped and given other labels as told, in the order
// of the rows, and nothing else. A change that does not fit is an error, and then
// nothing is changed.
func Apply(d *dataset.Dataset, changes []Change) (dropped, relabelled int, err error) {
	rows := map[string][]int{}
	for i, s := range d.Samples {
		rows[s.ID] = append(rows[s.ID], i)
	}
	label := map[int]int{} // new ones by row, -1 to drop
	for _, c := range changes {
		at := rows[c.ID]
		switch {
		case len(at) == 0:
			return 0, 0, fmt.Errorf("%s has no row %q; are these changes of another dataset?", d.Path, c.ID)
		case c.Index < 0 && len(at) > 1:
			return 0, 0, fmt.Errorf("%s has %d rows %q; the index has to tell which", d.Path, len(at), c.ID)
		case c.Index >= 0 && !slices.Contains(at, c.Index):
			return 0, 0, fmt.Errorf("row %d of %s is not %q; are these changes of another dataset?", c.Index, d.Path, c.ID)
		}
		row := c.Index
		if row < 0 {
			row = at[0]
		}
		if _, twice := label[row]; twice {
			return 0, 0, fmt.Errorf("row %d, %q, is changed twice", row, c.ID)
		}
		if label[row] = -1; c.Change == Relabel {
			if label[row] = slices.Index(d.Classes, c.Label); label[row] < 0 {
				return 0, 0, fmt.Errorf("row %d, %q: %s has no class %q; it has %s", row, c.ID, d.Path, c.Label, strings.Join(d.Classes, ", "))
			}
		}
	}
	var kept []int
	for i := range d.Samples {
		switch k, changed := label[i]; {
		case !changed:
			kept = append(kept, i)
		case k < 0:
			dropped++
		default:
			d.Samples[i].Label = k
			kept, relabelled = append(kept, i), relabelled+1
		}
	}
	return dropped, relabelled, d.Keep(kept)
}

// readReport reads the report of an audit's folder.
func readReport(folder string) (*Report, error) {
	path := filepath.Join(folder, reportFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s is no folder of graft data audit: %w", folder, err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}
