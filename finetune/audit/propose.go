package audit

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"graft/internal/parquetfile"
	"graft/internal/table"
	"graft/preprocess/dataset"
)

// Proposal says what else than the plainest faults is to be changed.
type Proposal struct {
	Near   bool   // drop near duplicates within train too
	Labels string // Drop or Relabel rows of train whose label is probably wrong; "" leaves them
	Top    int    // only so many of them, the most doubtful; 0 for all
}

// Propose reads the tables of an audit and proposes changes of train, in the order of its
// rows. Other splits are never changed: figures on them would no longer compare.
//
// Dropped are rows that cannot be decoded; those of one value in every pixel; those whose
// group is in another split, so that it is judged on what was not learnt; of equal images
// within train all but the first one that has the label of more than half of them; and
// all of them where no label has that.
func Propose(folder string, p Proposal) ([]Change, error) {
	r, err := readReport(folder)
	if err != nil {
		return nil, err
	}
	if p.Labels != "" && r.Labels == nil {
		return nil, fmt.Errorf("audit %s did not judge labels: run it again with --embeddings", folder)
	}
	found := map[int64]Change{}
	add := func(at Row, change, label, format string, args ...any) {
		if _, changed := found[at.Index]; !changed && at.Index >= 0 && at.Split == dataset.Train {
			found[at.Index] = Change{int(at.Index), at.ID, change, label, fmt.Sprintf(format, args...)}
		}
	}
	for _, name := range []string{"undecodable", "cut", "constant"} {
		images, err := readTable[imageRow](folder, name)
		if err != nil {
			return nil, err
		}
		for _, im := range images {
			add(im.Row, Drop, "", "%s: %s", name, im.Reason)
		}
	}
	groups, err := readTable[groupRow](folder, "groups")
	if err != nil {
		return nil, err
	}
	proposeCopies(groups, p.Near, add)
	if p.Labels != "" {
		doubts, err := readTable[DoubtRow](folder, "labels")
		if err != nil {
			return nil, err
		}
		proposeLabels(doubts, p, add)
	}
	var changes []Change
	for _, at := range slices.Sorted(maps.Keys(found)) {
		changes = append(changes, found[at])
	}
	return changes, nil
}

// adder takes a change of a row of train that has none yet.
type adder func(at Row, change, label, format string, args ...any)

// proposeCopies goes through the groups: rows that another split has too, then what
// repeats itself.
func proposeCopies(rows []groupRow, near bool, add adder) {
	elsewhere, equal := map[int64]groupRow{}, map[int64]groupRow{} // first rows of other splits, by group and by pixels
	for _, g := range slices.Backward(rows) {
		if g.Split != dataset.Train {
			elsewhere[g.Group], equal[g.Equal] = g, g
		}
	}
	sets := map[int64][]groupRow{} // of equal pixels, in train
	var order []int64
	for _, g := range rows {
		if g.Split != dataset.Train {
			continue
		}
		if other, same := equal[g.Equal]; same {
			add(g.Row, Drop, "", "equal to %s of %s", other.ID, other.Split)
		} else if other, leaks := elsewhere[g.Group]; leaks {
			add(g.Row, Drop, "", "near duplicate of %s of %s", other.ID, other.Split)
		}
		if sets[g.Equal] == nil {
			order = append(order, g.Equal)
		}
		sets[g.Equal] = append(sets[g.Equal], g)
	}
	first := map[int64]Row{} // what is kept of each group
	for _, e := range order {
		set := sets[e]
		kept := keptOf(set)
		for i, g := range set {
			switch before, seen := first[g.Group]; {
			case kept < 0:
				add(g.Row, Drop, "", "equal images have other labels, and none more than half of them")
			case i != kept:
				add(g.Row, Drop, "", "equal to %s", set[kept].ID)
			case near && seen:
				add(g.Row, Drop, "", "near duplicate of %s", before.ID)
			case !seen:
				first[g.Group] = g.Row
			}
		}
	}
}

// keptOf is the place of the first of equal images whose label more than half of them
// have, or -1.
func keptOf(set []groupRow) int {
	labels := map[string]int{}
	for _, g := range set {
		labels[g.Label]++
	}
	return slices.IndexFunc(set, func(g groupRow) bool { return 2*labels[g.Label] > len(set) })
}

// proposeLabels takes the most doubtful labels of train, which come first.
func proposeLabels(doubts []DoubtRow, p Proposal, add adder) {
	n := 0
	for _, d := range doubts {
		if d.Split != dataset.Train || p.Top > 0 && n == p.Top {
			continue
		}
		n++
		label := ""
		if p.Labels == Relabel {
			label = d.Suggested
		}
		add(d.Row, p.Labels, label, "labelled %s, rather %s (margin %.3f)", d.Label, d.Suggested, d.Margin)
	}
}

func readTable[T any](folder, name string) ([]T, error) {
	path := filepath.Join(folder, name+table.Parquet)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := parquetfile.Read[T](data, -1)
	if errors.Is(err, parquetfile.ErrColumns) {
		err = fmt.Errorf("%w; audit again with this version", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}
