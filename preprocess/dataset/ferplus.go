package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"graft/internal/plural"
)

// voteNames names the ten votes of FER+ in the order of Sample.Votes, as
// fer2013new.csv heads its columns (Barsoum et al. 2016). NF is "not a face".
var voteNames = []string{
	"neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
}

// voteRow is one row of fer2013new.csv.
type voteRow struct {
	usage string
	votes []uint8
	fault string // what is wrong with it, if anything
}

// addVotes gives every sample its row of a FER+ file.
func (d *Dataset) addVotes(path string) error {
	if d.rows == nil || !d.isFER() {
		return fmt.Errorf("%s: FER+ votes belong to the rows of fer2013.csv, and this set does not tell its rows; use the CSV or a folder converted from it", d.Path)
	}
	rows, err := readVotes(path, d.total)
	if err != nil {
		return err
	}
	if len(rows) > d.total {
		return fmt.Errorf("%s: holds more than %d rows of votes, want one for each row of %s", path, d.total, d.Path)
	}
	if len(rows) != d.total {
		return fmt.Errorf("%s: holds %s of votes, want %d, one for each row of %s", path, plural.Of(len(rows), "row"), d.total, d.Path)
	}
	var kept []int
	for i := range d.Samples {
		s := &d.Samples[i]
		row := rows[d.rows[i]]
		want := ferUsages[ferSplit(s.Split)]
		if row.fault == "" && row.usage != want {
			row.fault = fmt.Sprintf("column Usage is %q, but the image belongs to %s", row.usage, want)
		}
		if row.fault == "" {
			s.Votes, kept = row.votes, append(kept, i)
			continue
		}
		where := fmt.Sprintf("row %d (line %d)", d.rows[i]+1, d.rows[i]+2)
		if !d.skipBad {
			return fmt.Errorf("%s: %s: %s", path, where, row.fault)
		}
		if err := d.leaveOut("FER+ "+where, row.fault); err != nil {
			return err
		}
	}
	d.keep(kept)
	return nil
}

// readVotes reads at most one row more than want, so that a wrong file does
// not fill the memory.
func readVotes(path string, want int) ([]voteRow, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := parseVotes(io.LimitReader(f, maxVoteBytes), want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

// maxVoteBytes is far above FER+'s 1.6 MB; a longer file counts as cut off.
const maxVoteBytes = 1 << 30

func parseVotes(r io.Reader, want int) ([]voteRow, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.FieldsPerRecord = -1 // told as a fault of the row
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	fields := len(head)
	usage, at, err := voteColumns(head)
	if err != nil {
		return nil, err
	}
	var rows []voteRow
	for len(rows) <= want {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := voteRow{votes: make([]uint8, len(at))}
		if len(rec) != fields {
			row.fault = fmt.Sprintf("%d fields, want %d", len(rec), fields)
		} else {
			row.read(rec, usage, at)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// voteColumns finds the columns by name.
func voteColumns(head []string) (usage int, at []int, err error) {
	find := func(name string) int {
		i := slices.IndexFunc(head, func(s string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")), name)
		})
		if i < 0 && err == nil {
			err = fmt.Errorf("no column %s; is it FER+'s fer2013new.csv?", name)
		}
		return i
	}
	usage = find("Usage")
	for _, name := range voteNames {
		at = append(at, find(name))
	}
	return usage, at, err
}

func (r *voteRow) read(rec []string, usage int, at []int) {
	r.usage = strings.Clone(strings.TrimSpace(rec[usage]))
	for k, c := range at {
		v, err := strconv.ParseUint(strings.TrimSpace(rec[c]), 10, 8)
		if err != nil {
			r.fault = fmt.Sprintf("column %s is %q, want a count of 0 to 255", voteNames[k], rec[c])
			return
		}
		r.votes[k] = uint8(v)
	}
}
