package extract_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess/dataset"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// twoSplits are 6 pictures of train and 4 of test.
func twoSplits(t *testing.T) string {
	dir := pictures(t, 6)
	for _, name := range []string{"cat/a", "cat/b", "dog/c", "dog/d"} {
		picture(t, dir, "test/"+name+".png", true)
	}
	return dir
}

// No row of the store is lost, and what would lose one is refused before anything is computed.
func TestExtendLosesNoRow(t *testing.T) {
	dir, out := twoSplits(t), filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	before := files(t, out)
	fewer := twoSplits(t)
	if err := os.Remove(filepath.Join(fewer, "test", "cat", "a.png")); err != nil {
		t.Fatal(err)
	}
	more := pictures(t, 30) // 6 of them the store's
	for name, tt := range map[string]struct {
		c    extract.Config
		want string
	}{
		"a split":         {extract.Config{Data: openData(t, dir), Splits: []string{dataset.Train}}, "4 of the store's 10 rows"},
		"a limit":         {extract.Config{Data: openData(t, dir), Limit: 3}, "4 of the store's 10 rows"},
		"another dataset": {extract.Config{Data: openData(t, more)}, "4 of the store's 10 rows"},
		"a file less":     {extract.Config{Data: openData(t, fewer)}, "1 of the store's 10 rows would be lost, since their images are not among the selected ones (the first: test/cat/a.png of split "},
	} {
		b := &counting{}
		tt.c.Backbone, tt.c.Out, tt.c.Taps = b, out, []string{"mean"}
		if _, err := add(t, tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if b.images != nil {
			t.Errorf("%s: computed %v", name, b.images)
		}
	}
	if after := files(t, out); len(after) != len(before) || !slices.Equal(after["manifest.json"], before["manifest.json"]) {
		t.Error("the store was changed")
	}
	same(t, dir, out, "cls")
}

// opened is a backbone that was opened for some of its taps.
type opened struct {
	fake
	taps []string
}

func (o *opened) Taps() []string { return o.taps }

// A store of some splits, or of some images of each, gets the others, in all of its taps.
func TestExtendSelection(t *testing.T) {
	dir := twoSplits(t)
	for name, c := range map[string]extract.Config{"splits": {Splits: []string{dataset.Train}}, "limit": {Limit: 3}} {
		out := filepath.Join(t.TempDir(), "e")
		c.Data, c.Backbone, c.Out, c.Taps = openData(t, dir), &fake{}, out, []string{"cls", "mean"}
		if _, err := add(t, c); err != nil {
			t.Fatal(err)
		}
		c.Splits, c.Limit, c.Taps = nil, 0, []string{"cls"}
		words, err := extract.Missing(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		c.Backbone = &opened{taps: words}
		if sum, err := add(t, c); err != nil || sum.Rows != 10 || sum.Reused != 6 {
			t.Errorf("%s: opened for %v: %+v, %v", name, words, sum, err)
		}
		same(t, dir, out, "cls", "mean")
	}
}

// What is none of the store's own in its folder stays there, a backbone and its data among it.
func TestExtendCarriesOver(t *testing.T) {
	dir, out := pictures(t, 5), filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	mine := []string{"fake.onnx", "fake.onnx.data", "notes.txt", "export/cls.csv", "meta/mine.txt"}
	write(t, out, append(mine, "mean")...)
	if _, err := addTo(t, dir, out, &fake{}, "mean"); err == nil || !strings.Contains(err.Error(), "move it elsewhere") {
		t.Errorf("a file where a tap goes: %v", err)
	}
	if err := os.Remove(filepath.Join(out, "mean")); err != nil {
		t.Fatal(err)
	}
	if _, err := addTo(t, dir, out, &fake{}, "mean"); err != nil {
		t.Fatal(err)
	}
	kept(t, out, mine...)
	same(t, dir, out, "cls", "mean")
}

func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("mine: "+name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// kept wants the files of write, and removes them.
func kept(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if data, err := os.ReadFile(path); string(data) != "mine: "+name {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		_ = os.Remove(path)
	}
}

// Wherever the swap is broken off, the next run, also one that does not extend, ends it and loses nothing; also by a link.
func TestSwapBrokenOff(t *testing.T) {
	dir := pictures(t, 5)
	made := filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, made, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, whole, &fake{}, "cls", "mean"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		old, new []string // where they and the user's notes lie
		notes    string
		refused  string
	}{
		{[]string{"e"}, []string{"next"}, "e", ""}, // to be extended still
		{[]string{"old"}, []string{"next"}, "old", ""},
		{[]string{"old"}, []string{"e"}, "old", ""},
		{[]string{"old"}, []string{"e"}, "e", ""},
		{[]string{"gone"}, []string{"e"}, "e", ""},
		{[]string{"old", "e"}, []string{"next"}, "old", "was made since"},
		{[]string{"old"}, nil, "old", "is not there"},
	} {
		for _, linked := range []bool{false, true} {
			folder := t.TempDir()
			at := func(name string) string {
				return filepath.Join(folder, map[bool]string{true: "e", false: ".graft-tmp-extend-e-" + name}[name == "e"])
			}
			put := func(from string, to []string) {
				for _, name := range to {
					if err := os.CopyFS(at(name), os.DirFS(from)); err != nil {
						t.Fatal(err)
					}
				}
			}
			put(made, tt.old)
			put(whole, tt.new)
			write(t, at(tt.notes), "notes.txt", "fake.onnx")
			out := at("e")
			if linked {
				out = filepath.Join(t.TempDir(), "link")
				if err := os.Symlink(at("e"), out); err != nil {
					t.Skip(err)
				}
			}
			c := extract.Config{Data: openData(t, dir), Backbone: &fake{}, Out: out, Taps: []string{"cls", "mean"}, Batch: 2, ShardRows: 4, Flip: true}
			run := extract.Run
			if slices.Equal(tt.old, []string{"e"}) {
				run = extract.Extend
			}
			before := files(t, folder)
			sum, err := run(t.Context(), c, nil)
			if tt.refused != "" {
				if after := files(t, folder); err == nil || !strings.Contains(err.Error(), tt.refused) || len(after) != len(before) {
					t.Errorf("%+v: %v, %d files of %d", tt, err, len(after), len(before))
				}
				continue
			}
			if err != nil || sum.Resumed != 5 {
				t.Errorf("%+v: %+v, %v", tt, sum, err)
			}
			kept(t, at("e"), "notes.txt", "fake.onnx")
			same(t, dir, at("e"), "cls", "mean")
		}
	}
}

// Before a backbone is opened, which may lie in the store, the store is in its place.
func TestProviderEndsASwap(t *testing.T) {
	out := filepath.Join(t.TempDir(), "e")
	dir := pictures(t, 3)
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(out), ".graft-tmp-extend-e-")
	if err := errors.Join(os.CopyFS(beside+"next", os.DirFS(out)), os.Rename(out, beside+"old")); err != nil {
		t.Fatal(err)
	}
	write(t, beside+"old", "fake.onnx")
	if _, err := extract.Provider(out, "cpu"); err != nil {
		t.Fatal(err)
	}
	kept(t, out, "fake.onnx")
	if others, err := store.Others(out); err != nil || len(others) > 0 {
		t.Errorf("others: %v, %v", others, err)
	}
}
