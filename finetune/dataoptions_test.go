package finetune

import (
	"path/filepath"
	"testing"
)

// What config.json records opens the same set from any folder.
func TestRecordedPaths(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		"faces.csv":       filepath.Join(here, "faces.csv"),
		"list:photos.csv": "list:" + filepath.Join(here, "photos.csv"),
		"list:" + here:    "list:" + here,
		"synthetic":       "synthetic",
	} {
		if got := (DataOptions{Path: given}).recorded().Path; got != want {
			t.Errorf("%s is recorded as %s, want %s", given, got, want)
		}
	}
}
