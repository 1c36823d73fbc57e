package dataset

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

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
		ThingsPath:        "synthetic:things",
		"":                "", // an imported run has none
	} {
		if got := (Ref{Path: given}).Recorded().Path; got != want {
			t.Errorf("%s is recorded as %s, want %s", given, got, want)
		}
	}
}

func TestRefJSON(t *testing.T) {
	r := Ref{Path: "a.csv", FERPlus: "votes.csv", Seed: 7, PerClass: 3, SkipBad: true, Verify: true}
	data, err := json.Marshal(r)
	// The keys of config.json.
	if want := `{"path":"a.csv","ferplus":"votes.csv","seed":7,"per_class":3,"skip_bad":true}`; err != nil || string(data) != want {
		t.Errorf("%s, %v; want %s", data, err, want)
	}
	if got := r.Recorded(); got.Seed != 0 || got.PerClass != 0 || !filepath.IsAbs(got.FERPlus) || !got.SkipBad {
		t.Errorf("recorded as %+v", got)
	}
	for _, path := range []string{SyntheticPath, ThingsPath} {
		if got := (Ref{Path: path, Seed: 7, PerClass: 3}).Recorded(); got.Seed != 7 || got.PerClass != 3 {
			t.Errorf("the synthetic set is recorded as %+v", got)
		}
	}
}

func TestRefExists(t *testing.T) {
	file := writeFile(t, "list", nil)
	for path, want := range map[string]bool{file: true, ListPrefix + file: true, SyntheticPath: true, ThingsPath: true, SyntheticPath + ":x": false, file + "x": false, ListPrefix + file + "x": false, "": false} {
		if got := (Ref{Path: path}).Exists(); got != want {
			t.Errorf("%q exists: %v", path, got)
		}
	}
	for path, want := range map[string]string{"/data/fer.csv": "fer.csv", "list:/data/a.txt": "list:a.txt", SyntheticPath: "synthetic", ThingsPath: ThingsPath} {
		if got := (Ref{Path: path}).Name(); got != want {
			t.Errorf("%q is called %q, want %q", path, got, want)
		}
	}
}
