package run

import (
	"fmt"
	"slices"
	"strconv"

	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// Rows are the samples of one split.
type Rows struct {
	Labels  []int
	IDs     []string
	Indices []int // positions in the dataset
	// Contents tell the images, Groups have equal numbers for those that are the same
	// or nearly so; nil where that is not known.
	Contents []duplicate.Content
	Groups   []int
	// Seen tells of judged rows whether their group is in what the model was trained
	// or chosen on; nil where that is not known.
	Seen []bool
}

// Add appends the samples at indices, whose images are contents.
func (r *Rows) Add(d *dataset.Dataset, indices []int, contents []duplicate.Content) {
	for _, i := range indices {
		s := d.Samples[i]
		r.Labels, r.IDs, r.Indices = append(r.Labels, s.Label), append(r.IDs, s.ID), append(r.Indices, i)
	}
	r.Contents = append(r.Contents, contents...)
}

// First is the first n rows.
func (r Rows) First(n int) Rows {
	r.Labels, r.IDs, r.Indices = r.Labels[:n], r.IDs[:n], r.Indices[:n]
	if r.Contents != nil {
		r.Contents = r.Contents[:n]
	}
	if r.Groups != nil {
		r.Groups = r.Groups[:n]
	}
	if r.Seen != nil {
		r.Seen = r.Seen[:n]
	}
	return r
}

// At are the given rows.
func (r Rows) At(rows []int) Rows {
	return Rows{at(r.Labels, rows), at(r.IDs, rows), at(r.Indices, rows), at(r.Contents, rows), at(r.Groups, rows), at(r.Seen, rows)}
}

// at picks from a list, nil from none.
func at[T any](list []T, rows []int) []T {
	if list == nil {
		return nil
	}
	out := make([]T, len(rows))
	for to, i := range rows {
		out[to] = list[i]
	}
	return out
}

// Apart numbers what must not be on two sides: the groups, or where they are not
// known the images, of which a mirrored one shares the index.
func (r Rows) Apart() []int {
	if r.Groups != nil {
		return r.Groups
	}
	return r.Indices
}

// groupCells are row i's of the columns group and clean.
func (r Rows) groupCells(i int) []string {
	cells := []string{"", ""}
	if r.Groups != nil {
		cells[0] = strconv.Itoa(r.Groups[i])
	}
	if r.Seen != nil {
		cells[1] = map[bool]string{true: "0", false: "1"}[r.Seen[i]]
	}
	return cells
}

// AbsentClasses notes the classes that train has no sample of: a model cannot
// learn them.
func (r Rows) AbsentClasses(classes []string) []string {
	var notes []string
	for c, name := range classes {
		if !slices.Contains(r.Labels, c) {
			notes = append(notes, fmt.Sprintf("Class %s has no training sample.", name))
		}
	}
	return notes
}
