package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name        string
		set, wanted string
		to          []int
		note        string // a part of the notes, "" for none
	}{
		{"the same", "a b c", "a b c", []int{0, 1, 2}, ""},
		{"another order", "c a b", "a b c", []int{2, 0, 1}, ""},
		{"another case", "Cat dog", "cat dog", []int{0, 1}, `"Cat" is taken for "cat"`},
		{"exactly before another case", "Cat cat", "cat dog", []int{-1, 0}, "lacks the classes dog"},
		{"two that differ in case alone", "cat dog", "Cat CAT dog", []int{-1, 2}, "lacks the classes Cat, CAT"},
		{"two in the set that differ in case alone", "Cat CAT dog", "cat dog", []int{-1, -1, 1}, "lacks the classes cat"},
		{"some alone", "b", "a b c", []int{1}, "lacks the classes a, c"},
		{"more", "a b c d", "a c", []int{0, -1, 1, -1}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Match(strings.Fields(c.set), strings.Fields(c.wanted))
			notes := strings.Join(m.Notes, " ")
			if err != nil || !slices.Equal(m.To, c.to) || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("%v, notes %q, %v; want %v, a note with %q", m.To, notes, err, c.to, c.note)
			}
		})
	}
	if _, err := Match([]string{"x", "y"}, []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "x, y") || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("classes that are none of those wanted: %v, want an error that names both", err)
	}
}

// TestAs gives a folder's alphabetical classes another order, and wants the images' names to go on telling their class.
func TestAs(t *testing.T) {
	var members []member
	for n, class := range []string{"bee", "cow", "eel"} {
		for i := range 2 {
			members = append(members, member{name: fmt.Sprintf("test/%s/%d.png", class, i), data: pngText(t, uint64(2*n+i), 1, 8, 8)})
		}
	}
	open := func() *Dataset { return mustOpen(t, unpack(t, members...), Ref{}) }
	d := open()
	notes, err := d.As([]string{"eel", "ant", "cow", "bee"}, false)
	if err != nil || len(d.Samples) != 6 || !strings.Contains(strings.Join(notes, " "), "lacks the classes ant") {
		t.Fatalf("%d samples, notes %q, %v; want 6 and a note of ant", len(d.Samples), notes, err)
	}
	for _, s := range d.Samples {
		if !strings.Contains(s.ID, d.Classes[s.Label]) {
			t.Errorf("%s has the label %s", s.ID, d.Classes[s.Label])
		}
	}
	d = open()
	if _, err := d.As([]string{"eel", "bee"}, false); err == nil || !strings.Contains(err.Error(), "cow (2)") || !strings.Contains(err.Error(), "--skip-unknown") {
		t.Errorf("a class more: %v, want an error that names it, its images and the way out", err)
	}
	notes, err = d.As([]string{"eel", "bee"}, true)
	if err != nil || len(d.Samples) != 4 || !strings.Contains(strings.Join(notes, " "), "cow (2)") {
		t.Errorf("a class more, skipped: %d samples, notes %q, %v; want 4", len(d.Samples), notes, err)
	}
	for i, s := range d.Samples {
		if _, err := d.Image(t.Context(), i); err != nil || !strings.Contains(s.ID, d.Classes[s.Label]) {
			t.Errorf("%s has the label %s, %v", s.ID, d.Classes[s.Label], err)
		}
	}
}
