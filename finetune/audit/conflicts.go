package audit

// ConflictRow is a row whose label others of its kind contradict.
type ConflictRow struct {
	Row
	Group int64  `parquet:"group"`
	Kind  string `parquet:"kind,dict"` // equal: images of equal pixels have other labels; near: those of the group
	Same  int64  `parquet:"same"`      // of these rows, as many have this label, this one counted
	Of    int64  `parquet:"of"`        // rows
}

// findConflicts writes the rows of equal pixels, and of groups, that have several labels.
func (a *auditor) findConflicts(r *Report) error {
	equal, near := a.labelsOf(a.equal), a.labelsOf(a.group)
	worse := map[int]bool{} // groups with equal pixels that contradict
	for e, counts := range equal {
		if len(counts) > 1 {
			worse[a.group[e]] = true
			r.Conflicts.Equal++
		}
	}
	for g, counts := range near {
		if len(counts) > 1 && !worse[g] {
			r.Conflicts.Near++
		}
	}
	return write(a, r, "conflicts", &r.Conflicts.Rows, func(yield func(ConflictRow) bool) {
		for i, s := range a.Data.Samples {
			c := ConflictRow{Row: a.row(i), Group: int64(a.group[i]), Kind: EqualPixels}
			counts := equal[a.equal[i]]
			if len(counts) < 2 {
				counts, c.Kind = near[a.group[i]], nearPixels
			}
			if len(counts) < 2 {
				continue
			}
			c.Same = int64(counts[s.Label])
			for _, n := range counts {
				c.Of += int64(n)
			}
			if !yield(c) {
				return
			}
		}
	})
}

// labelsOf counts, for each number that several rows have, the rows of each label.
func (a *auditor) labelsOf(numbers []int) map[int]map[int]int {
	size, counts := sizes(numbers), map[int]map[int]int{}
	for i, g := range numbers {
		if size[g] < 2 {
			continue
		}
		if counts[g] == nil {
			counts[g] = map[int]int{}
		}
		counts[g][a.Data.Samples[i].Label]++
	}
	return counts
}
