package dataset

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Matching says which of the classes that are wanted each of a set's classes is, by their names.
type Matching struct {
	To    []int    // by class of the set, the wanted class; -1 where none has its name
	Notes []string // what a reader of the figures must know
}

// Match matches classes by name: exactly, else by the only name that differs in case or in space around it, which is
// noted. Wanted classes that the set lacks are noted too. Sets with no class of the wanted ones are an error that names both.
func Match(set, wanted []string) (m Matching, err error) {
	m.To = make([]int, len(set))
	taken := make([]bool, len(wanted))
	for i, name := range set {
		m.To[i] = slices.Index(wanted, name)
		if m.To[i] >= 0 {
			taken[m.To[i]] = true
		}
	}
	for i, name := range set {
		if m.To[i] >= 0 {
			continue
		}
		if at := onlyLike(wanted, name); at >= 0 && !taken[at] && onlyLike(set, name) == i {
			m.To[i], taken[at] = at, true
			m.Notes = append(m.Notes, fmt.Sprintf("Class %q is taken for %q.", name, wanted[at]))
		}
	}
	if !slices.Contains(taken, true) {
		return m, fmt.Errorf("the classes are %s; wanted are %s", strings.Join(set, ", "), strings.Join(wanted, ", "))
	}
	var lacking []string
	for i, name := range wanted {
		if !taken[i] {
			lacking = append(lacking, name)
		}
	}
	if lacking != nil {
		m.Notes = append(m.Notes, fmt.Sprintf("The judged set lacks the classes %s.", strings.Join(lacking, ", ")))
	}
	return m, nil
}

// onlyLike is the only one of some names that differs from another in case or in space around it at most; -1 if there
// is none, or several.
func onlyLike(names []string, name string) int {
	found := -1
	for i, n := range names {
		if !strings.EqualFold(strings.TrimSpace(n), strings.TrimSpace(name)) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// Skip refuses samples whose class none of the wanted ones is, or notes that they are left out. Labels are those of all
// samples of a set with classes set, where says which.
func (m *Matching) Skip(set []string, labels iter.Seq[int], skip bool, where string) error {
	counts := make([]int, len(set))
	for label := range labels {
		counts[label]++
	}
	var unknown []string
	for i, n := range counts {
		if n > 0 && m.To[i] < 0 {
			unknown = append(unknown, fmt.Sprintf("%s (%d)", set[i], n))
		}
	}
	switch {
	case unknown != nil && !skip:
		return fmt.Errorf("%s: images of the classes %s, which the model does not know; --skip-unknown leaves them out", where, strings.Join(unknown, ", "))
	case unknown != nil:
		m.Notes = append(m.Notes, fmt.Sprintf("Left out are images of classes that the model does not know: %s.", strings.Join(unknown, ", ")))
	}
	return nil
}

// As gives the set the classes that are wanted, in their order, and its samples' labels by the names; see [Match]. Samples
// of other classes are an error that names them, unless they are to be skipped. It returns what to note. A set that has the
// wanted classes in their order stays as it is, with its fingerprint; another one gets a new fingerprint. Image must not be
// running.
func (d *Dataset) As(wanted []string, skipUnknown bool) ([]string, error) {
	if slices.Equal(d.Classes, wanted) {
		return nil, nil
	}
	m, err := Match(d.Classes, wanted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path, err)
	}
	if err := m.Skip(d.Classes, d.labels, skipUnknown, d.Path); err != nil {
		return nil, err
	}
	var known []int
	for i := range d.Samples {
		if m.To[d.Samples[i].Label] >= 0 {
			known = append(known, i)
		}
	}
	if len(known) < len(d.Samples) {
		if err := d.Keep(known); err != nil {
			return nil, err
		}
	}
	for i := range d.Samples {
		d.Samples[i].Label = m.To[d.Samples[i].Label]
	}
	d.Classes = slices.Clone(wanted)
	return m.Notes, nil
}

func (d *Dataset) labels(yield func(label int) bool) {
	for i := range d.Samples {
		if !yield(d.Samples[i].Label) {
			return
		}
	}
}
