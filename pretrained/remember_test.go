package pretrained

import (
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
	if order := autoOrder(); order != nil {
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
	for _, change := range [][2]string{{machine(), "another"}, {`"go"`, `"fast"`}, {`"go"`, `"auto"`}} {
		changed := strings.Replace(string(data), change[0], change[1], 1)
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil || changed == string(data) {
			t.Fatal(err, changed)
		}
		if order := autoOrder(); order != nil {
			t.Errorf("%v: auto tries %v", change, order)
		}
	}
	if _, err := Remember([]session.Provider{session.Auto}); err == nil {
		t.Error("auto was remembered")
	}
}
