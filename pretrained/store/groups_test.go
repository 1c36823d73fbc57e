package store_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess/duplicate"
	"graft/preprocess/synthetic"
	"graft/pretrained/store"
)

// contentOf is a face for each image; image 12 is image 3 again, image 21 is mirrored 6.
func contentOf(index int) duplicate.Content {
	im := synthetic.Face(3, uint64(index), 1)
	switch index {
	case 12:
		im = synthetic.Face(3, 3, 1)
	case 21:
		im = synthetic.Face(3, 6, 1).Mirror()
	}
	c := duplicate.Of(im)
	if index == 0 || index == 27 {
		c.Group = "ann"
	}
	return c
}

// wantGroups are of rows 0 to 9, which are images 0, 3 … 27; rows 0 and 9 a group of the user's.
var wantGroups = []int{0, 1, 2, 3, 1, 5, 6, 2, 8, 0}

func checkGroups(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Matrix(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if !s.Grouped() || !slices.Equal(m.Groups, wantGroups) {
		t.Errorf("grouped %v: groups %v, want %v", s.Grouped(), m.Groups, wantGroups)
	}
	for i, r := range s.Rows() {
		if r.Content != contentOf(r.Index) || m.Contents[i] != r.Content {
			t.Errorf("row %d has another content than its image", i)
		}
	}
	r, err := store.Verify(t.Context(), dir, nil)
	if err != nil || !r.Sound {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

func TestGroups(t *testing.T) {
	f := newFixture(10, store.Float32, false)
	for i := range f.rows {
		f.rows[i].Content = contentOf(f.rows[i].Index)
	}
	dir := t.TempDir()
	f.write(t, dir)
	checkGroups(t, dir)
	path := filepath.Join(dir, "groups.parquet")
	if err := os.WriteFile(path, []byte("PAR1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir); err == nil || !strings.Contains(err.Error(), "groups.parquet") {
		t.Errorf("damaged groups: %v", err)
	}
	f.write(t, dir) // the same extraction again
	checkGroups(t, dir)
}

// A store of before contents were kept opens, and has its groups when the same
// extraction has run again with the images at hand.
func TestGroupsOfAnOldStore(t *testing.T) {
	f := newFixture(10, store.Float32, false)
	dir := t.TempDir()
	f.write(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Matrix(nil, ""); err != nil || s.Grouped() || m.Groups != nil || m.Contents != nil {
		t.Errorf("an old store has groups %v, %v", m.Groups, err)
	}
	w, err := store.OpenWriter(t.Context(), dir, f.m, store.WriterOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(t.Context(), func(_ context.Context, index int) (duplicate.Content, error) { return contentOf(index), nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	checkGroups(t, dir)
}

// A pattern of the user's joins rows beside those that are the same.
func TestGroupBy(t *testing.T) {
	f := newFixture(10, store.Float32, false)
	for i := range f.rows {
		f.rows[i].Content = contentOf(f.rows[i].Index)
	}
	dir := t.TempDir()
	f.write(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.GroupBy(`^face-(0)`); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.Rows() {
		if r.Group != 0 {
			t.Errorf("row %d is in group %d, want one of all", i, r.Group)
		}
	}
	for _, bad := range []string{"person", "^(dog)", "(a)(b)"} {
		if err := s.GroupBy(bad); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
