package audit

import (
	"cmp"
	"slices"

	"graft/preprocess/duplicate"
)

// Words for how alike two images are.
const (
	EqualPixels = "equal"
	nearPixels  = "near"
	sameName    = "group" // of the user's own
)

// copied is a row, and another that it equals, or that is the most like it of its group.
type copied struct {
	row, other int
	kind       string
}

// CopyRow is a row that repeats another.
type CopyRow struct {
	Row
	Group      int64   `parquet:"group"`
	Kind       string  `parquet:"kind,dict"` // equal, near, or group: one of the user's own
	Cosine     float32 `parquet:"cosine"`    // of the prints, of one image or its mirror image with the other
	OtherIndex int64   `parquet:"other_index"`
	OtherID    string  `parquet:"other_id"`
	OtherSplit string  `parquet:"other_split,dict"`
	OtherLabel string  `parquet:"other_label,dict"`
}

func (a *auditor) copyRows(list []copied) func(yield func(CopyRow) bool) {
	return func(yield func(CopyRow) bool) {
		for _, c := range list {
			other := a.row(c.other)
			r := CopyRow{Row: a.row(c.row), Group: int64(a.group[c.row]), Kind: c.kind, Cosine: 1,
				OtherIndex: other.Index, OtherID: other.ID, OtherSplit: other.Split, OtherLabel: other.Label}
			if c.kind != EqualPixels {
				r.Cosine = float32(a.cosine(c.row, c.other))
			}
			if !yield(r) {
				return
			}
		}
	}
}

// cosine is of the prints of two images, or of one with the other's mirror image.
func (a *auditor) cosine(i, j int) float64 {
	p, q := a.contents[i].Print, a.contents[j].Print
	return max(p.Cosine(q), p.Mirror().Cosine(q))
}

// findGroups writes every row that shares its group with another.
func (a *auditor) findGroups(r *Report) error {
	size := sizes(a.group)
	for i, c := range a.contents {
		if c.Known() && a.equal[i] == i {
			r.Distinct++
		}
		if c.Known() && a.group[i] == i {
			r.Groups++
		}
	}
	return write(a, r, "groups", nil, func(yield func(groupRow) bool) {
		for i, g := range a.group {
			if size[g] > 1 && !yield(groupRow{a.row(i), int64(g), int64(a.equal[i])}) {
				return
			}
		}
	})
}

// sizes counts the rows that have each number.
func sizes(numbers []int) []int32 {
	size := make([]int32, len(numbers))
	for _, g := range numbers {
		size[g]++
	}
	return size
}

// groupRow is a row that shares its group.
type groupRow struct {
	Row
	Group int64 `parquet:"group"` // index of the group's first row
	Equal int64 `parquet:"equal"` // index of the first row of equal pixels
}

// findLeaks writes the rows of each split whose group is in one that stands before
// it, train being the first.
func (a *auditor) findLeaks(r *Report) error {
	var all []copied
	for at, split := range a.Data.Splits {
		rows := a.rowsOf(split)
		for _, of := range a.Data.Splits[:at] {
			found := a.leaks(rows, a.rowsOf(of))
			l := Leak{Split: split, Of: of, Total: len(rows), All: len(found)}
			for _, c := range found {
				if c.kind == EqualPixels {
					l.Equal++
				}
				if c.kind == EqualPixels && a.Data.Samples[c.row].Label != a.Data.Samples[c.other].Label {
					l.OtherLabel++
				}
			}
			named := a.named(rows, a.rowsOf(of), found)
			l.Named = len(named)
			r.Leaks = append(r.Leaks, l)
			all = append(append(all, found...), named...)
		}
	}
	return write(a, r, "leaks", nil, a.copyRows(all))
}

// leaks lists the rows that share a group with rows of another split, whatever
// further splits there are: duplicate.Seen's rule. Rows without a group in common
// among all splits have none among two, so the others alone are grouped anew.
func (a *auditor) leaks(rows, of []int) (found []copied) {
	rows, of = a.inGroupsOf(rows, of), a.inGroupsOf(of, rows)
	both := slices.Concat(rows, of)
	contents := make([]duplicate.Content, len(both))
	for k, i := range both {
		contents[k] = a.contents[i]
	}
	group := duplicate.Groups(contents)
	asked := make([]bool, len(both)) // groups of rows
	for _, g := range group[:len(rows)] {
		asked[g] = true
	}
	members := map[int][]int{} // of these among of
	for k, i := range of {
		if g := group[len(rows)+k]; asked[g] {
			members[g] = append(members[g], i)
		}
	}
	for k, i := range rows {
		if near := members[group[k]]; near != nil {
			other := a.nearest(i, near)
			kind := nearPixels
			if a.equal[other] == a.equal[i] {
				kind = EqualPixels
			}
			found = append(found, copied{i, other, kind})
		}
	}
	return found
}

// inGroupsOf are those of rows whose group among all splits has one of others too.
func (a *auditor) inGroupsOf(rows, others []int) (in []int) {
	has := make(map[int]bool, len(others))
	for _, i := range others {
		has[a.group[i]] = true
	}
	for _, i := range rows {
		if has[a.group[i]] {
			in = append(in, i)
		}
	}
	return in
}

// named lists the rows, beside those found, that share a group of the user's own with
// rows of another split, each with the first.
func (a *auditor) named(rows, of []int, found []copied) (list []copied) {
	if a.names == nil {
		return nil
	}
	first, known := map[string]int{}, map[int]bool{}
	for _, i := range of {
		if _, seen := first[a.names[i]]; !seen && a.names[i] != "" {
			first[a.names[i]] = i
		}
	}
	for _, c := range found {
		known[c.row] = true
	}
	for _, i := range rows {
		if other, seen := first[a.names[i]]; seen && !known[i] {
			list = append(list, copied{i, other, sameName})
		}
	}
	return list
}

// nearest is that of the rows which is most like i: of equal pixels, then by the
// prints; of equals one of the same label, then the first.
func (a *auditor) nearest(i int, rows []int) int {
	best, most, label := 0, -2.0, false
	for _, j := range rows {
		cos, same := 2.0, a.Data.Samples[i].Label == a.Data.Samples[j].Label
		if a.equal[j] != a.equal[i] {
			cos = a.cosine(i, j)
		}
		if cos > most || cos == most && same && !label {
			best, most, label = j, cos, same
		}
	}
	return best
}

// findRedundant writes the rows that come after another of their group in their split.
func (a *auditor) findRedundant(r *Report) error {
	var all []copied
	for _, name := range a.Data.Splits {
		split := r.Splits[name]
		equal, first := make([]int32, len(a.group)), make([]int32, len(a.group)) // 1 + the first row
		for _, i := range a.rowsOf(name) {
			e, f := &equal[a.equal[i]], &first[a.group[i]]
			switch {
			case *e > 0:
				all = append(all, copied{i, int(*e) - 1, EqualPixels})
				split.Redundant.Equal++
			case *f > 0:
				all = append(all, copied{i, int(*f) - 1, nearPixels})
				split.Redundant.Near++
			}
			*e, *f = cmp.Or(*e, int32(i)+1), cmp.Or(*f, int32(i)+1)
		}
		r.Splits[name] = split
	}
	return write(a, r, "redundant", nil, a.copyRows(all))
}
