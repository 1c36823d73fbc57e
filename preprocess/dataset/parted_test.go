package dataset

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withoutUsage is the contest's train.csv.
func withoutUsage(rows []testRow) string {
	text := strings.NewReplacer(",Training", "", ",PublicTest", "", ",PrivateTest", "", ",Usage", "").Replace(csvText(rows))
	return text
}

// TestCSVWithoutUsage: Kaggle's train.csv is train, however it is packed.
func TestCSVWithoutUsage(t *testing.T) {
	rows := testRows(3, 9)
	text := withoutUsage(rows)
	list := []member{{name: "fer/train.csv", data: text}, {name: "fer/test.csv", data: "pixels\n1 2 3\n"}}
	for path, want := range map[string]string{
		writeFile(t, "train.csv", []byte(text)):                    "train Training_00003",
		writeFile(t, "train.csv.gz", gzipped(t, []byte(text))):     "train Training_00003",
		writeFile(t, "all.zip", zipped(t, list...)):                "train Training_00003",
		writeFile(t, "all.tar.gz", gzipped(t, tarred(t, list...))): "train Training_00003",
		unpack(t, list...): "train Training_00003",
		writeFile(t, "fer_PrivateTest.csv", []byte(text)): "private-test private-test_00003",
		writeFile(t, "val.csv", []byte(text)):             "val val_00003",
		writeFile(t, "faces.csv", []byte(text)):           "train Training_00003",
	} {
		d := mustOpen(t, path, Ref{})
		if s := d.Samples[3]; len(d.Samples) != 9 || s.Split+" "+s.ID != want || s.Label != rows[3].label || len(d.Splits) != 1 {
			t.Errorf("%s: %+v of %v, want %s", path, s, d.Splits, want)
		}
		told := strings.Join(d.Warnings, " ")
		if strings.Contains(told, "no column Usage") != (filepath.Base(path) == "faces.csv") || strings.Contains(told, "test.csv") != (len(d.Path) > 0 && !strings.HasSuffix(path, ".csv") && !strings.HasSuffix(path, ".csv.gz")) {
			t.Errorf("%s: warnings %q", path, d.Warnings)
		}
	}
	_, err := Open(context.Background(), Ref{Path: writeFile(t, "val.csv", []byte(text)), FERPlus: "x"}, nil)
	wantError(t, err, "FER+")
}

// TestListsPartedByBlanks: tabs and blanks part as commas do, and a list needs no word
// before it.
func TestListsPartedByBlanks(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a b.png\tdog, big\ttrain\nc.png\tcat\ttest\n", "train dog, big a b.png|test cat c.png"},
		{"a b.png dog\nx/c.jpeg cat\n", "train dog a b.png|train cat x/c.jpeg"},
		{"x.png   9\ny.png 10\n", "train 9 x.png|train 10 y.png"},
		{"path label split\na.png dog train\nb.png cat val\n", "train dog a.png|val cat b.png"},
		{"a b.png\nc.png\n", "train unlabelled a b.png|train unlabelled c.png"},
		{"a.png,dog\nb.png,cat\n", "train dog a.png|train cat b.png"},
	} {
		path := writeFile(t, "list.txt", []byte(c.text))
		for _, path := range []string{path, ListPrefix + path, writeFile(t, "list.gz", gzipped(t, []byte(c.text)))} {
			d := mustOpen(t, path, Ref{})
			if got := strings.Join(placed(d), "|"); d.Kind != "list" || got != c.want {
				t.Errorf("%q: %s %q, want %q", c.text, d.Kind, got, c.want)
			}
		}
	}
	d := mustOpen(t, writeFile(t, "x.txt", []byte("a.png dog\nb.png\nc.png cat\n")), Ref{SkipBad: true})
	if len(d.Bad) != 1 || d.Bad[0].Where != "line 2" || !slices.Equal(d.Classes, []string{"cat", "dog"}) {
		t.Errorf("%+v", d.Info())
	}
}
