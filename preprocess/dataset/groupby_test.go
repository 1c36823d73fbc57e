package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGroupBy(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("path,Person,label\nann_1.png,ann,cat\nbob_1.png,bob,dog\nann_2.png,,cat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := mustOpen(t, "list:"+list, Ref{GroupBy: "person"}); !slices.Equal(d.groups, []string{"ann", "bob", ""}) {
		t.Errorf("groups by column %q", d.groups)
	}
	plain := filepath.Join(t.TempDir(), "plain.csv")
	if err := os.WriteFile(plain, []byte("ann_1.png,cat\nbob_1.png,dog\nann_2.png,cat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := mustOpen(t, "list:"+plain, Ref{GroupBy: "^([a-z]+)_"}); !slices.Equal(d.groups, []string{"ann", "bob", "ann"}) {
		t.Errorf("groups by pattern %q", d.groups)
	}
	for _, c := range []struct{ path, by, want string }{
		{"list:" + plain, "person", "person"},
		{"list:" + list, "film", "film"},
		{"list:" + list, "", "Person"}, // a column that nobody asked for
		{"list:" + plain, "^(bob)_", "ann_1.png"},
		{"list:" + plain, "^((a|b).*)_", "2 groups"},
		{"list:" + plain, "(", "missing closing"},
		{SyntheticPath, "person", "only a list has columns"},
	} {
		_, err := Open(t.Context(), Ref{Path: c.path, GroupBy: c.by}, nil)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s by %q: %v, want an error with %q", c.path, c.by, err, c.want)
		}
	}
}
