package pretrained

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/onnx/session"
)

// TestRemember: what was measured here is what auto tries; what was measured elsewhere, or is no list of providers, is not.
func TestRemember(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if path, err := rememberedPath(); err != nil || !strings.HasPrefix(path, os.Getenv("XDG_CACHE_HOME")) {
		t.Skip("SKIPPED: the caches of other systems are not told by a variable")
	}
	if order, err := autoOrder(); order != nil || err != nil {
		t.Errorf("nothing was remembered, and auto tries %v", order)
	}
	want := []session.Provider{session.Go, session.CPU}
	path, err := Remember(want)
	if err != nil {
		t.Fatal(err)
	}
	var tried []session.Provider
	_, _, err = choose(session.Options{}, func(o session.Options) (session.Session, error) {
		tried = append(tried, o.Provider)
		return nil, os.ErrInvalid
	})
	if err == nil || !slices.Equal(tried, want) {
		t.Errorf("auto tried %v, want %v", tried, want)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{machine(), "another"}, {`"go"`, `"fast"`}, {`"go"`, `"auto"`}, {`{`, ``}} {
		changed := strings.Replace(string(data), change[0], change[1], 1)
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil || changed == string(data) {
			t.Fatal(err, changed)
		}
		order, err := autoOrder()
		if order != nil || (err == nil) != (change[1] == "another") {
			t.Errorf("%v: auto tries %v (%v)", change, order, err)
		}
		var notes []string
		_, _, _ = choose(session.Options{Note: func(n string) { notes = append(notes, n) }}, func(session.Options) (session.Session, error) { return nil, os.ErrInvalid })
		if err != nil && (len(notes) != 1 || !strings.Contains(notes[0], "passed over")) {
			t.Errorf("%v: said %q", change, notes)
		}
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, `{"machine": %q, "order": []}`, machine()), 0o644); err != nil {
		t.Fatal(err)
	}
	if order, err := autoOrder(); order != nil || err == nil {
		t.Errorf("of no provider: auto tries %v (%v)", order, err)
	}
	if _, err := Remember([]session.Provider{session.Auto}); err == nil {
		t.Error("auto was remembered")
	}
}
