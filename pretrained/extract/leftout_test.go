package extract_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/preprocess/dataset"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// What --skip-bad left out of a dataset stands in the store's manifest, with its reason.
func TestLeftOutIsRecorded(t *testing.T) {
	dir := t.TempDir()
	face := strings.TrimSuffix(strings.Repeat("7 ", 48*48), " ")
	text := "emotion,pixels,Usage\n0," + face + ",Training\n1,7 7 7,Training\n2," + face + ",Training\n"
	path := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: path, SkipBad: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	out := filepath.Join(dir, "e")
	if _, err := extract.Run(t.Context(), extract.Config{Data: d, Backbone: &fake{}, Out: out, Batch: 2, ShardRows: 4, SkipBad: true}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if left := s.Manifest().Dataset.LeftOut; len(left) != 1 || left[0].Where == "" || left[0].Reason == "" {
		t.Errorf("the manifest says that %+v are left out, want one row", left)
	}
}
