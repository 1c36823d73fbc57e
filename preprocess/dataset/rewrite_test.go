package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A list or folder is written as a list of the same files; a CSV as a CSV.
func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"photos/#1, odd.png", "photos/b.png"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(dir, "photos", "list.csv")
	if err := os.WriteFile(list, []byte("path,label,person,split\n\"#1, odd.png\",cat,ann,fold2\nb.png,\"dog, wet\",,train\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := mustOpen(t, ListPrefix+list, Ref{GroupBy: "person"})
	if err := Rewrite(t.Context(), d, list, nil); err == nil || !strings.Contains(err.Error(), "read from") {
		t.Errorf("onto itself: %v", err)
	}
	for _, out := range []string{filepath.Join(dir, "photos", "again.csv"), filepath.Join(dir, "above.txt")} {
		if err := Rewrite(t.Context(), d, out, nil); err != nil {
			t.Fatal(err)
		}
		again := mustOpen(t, ListPrefix+out, Ref{GroupBy: "person"})
		for i, s := range again.Samples {
			want := d.Samples[i]
			if s.Split != want.Split || again.Classes[s.Label] != d.Classes[want.Label] || again.src.(*listSource).path(i) != d.src.(*listSource).path(i) {
				t.Errorf("%s: row %d is %+v, want %+v", out, i, s, want)
			}
		}
		if !slices.Equal(again.groups, d.groups) {
			t.Errorf("groups %q, want %q", again.groups, d.groups)
		}
	}
	drawn := mustOpen(t, SyntheticPath, Ref{PerClass: 1})
	if err := drawn.Keep([]int{0, 3, 9}); err != nil {
		t.Fatal(err)
	}
	drawn.Samples[1].Label = 5
	if err := Rewrite(t.Context(), drawn, filepath.Join(dir, "faces"), nil); err == nil || !strings.Contains(err.Error(), ".csv") {
		t.Errorf("a CSV by another name: %v", err)
	}
	out := filepath.Join(dir, "faces.csv")
	if err := Rewrite(t.Context(), drawn, out, nil); err != nil {
		t.Fatal(err)
	}
	if again := mustOpen(t, out, Ref{}); len(again.Samples) != 3 || again.Samples[1].Label != 5 {
		t.Errorf("%+v", again.Samples)
	}
}
