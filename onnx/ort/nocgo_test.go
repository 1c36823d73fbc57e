//go:build !cgo

package ort

import (
	"context"
	"errors"
	"testing"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/session"
)

// TestWithoutCgo: whatever needs the library says why it cannot be had, and nothing
// is downloaded that could not be loaded.
func TestWithoutCgo(t *testing.T) {
	calls := map[string]func() error{
		"Available": Available,
		"Open":      func() error { _, err := Open("m.onnx", nil, session.Options{}); return err },
		"OpenModel": func() error { _, err := OpenModel(&onnx.Model{}, session.Options{}); return err },
		"Install":   func() error { _, err := Install(context.Background(), InstallOptions{}); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, errNoCgo) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := Doctor(context.Background(), gosession.Open)
	if r.Library != nil || len(r.Providers) != 1 || !r.Providers[0].Starts || len(r.Problems) == 0 || r.Problems[0].What != errNoCgo.Error() {
		t.Errorf("the report: library %v, providers %v, problems %v", r.Library, r.Providers, r.Problems)
	}
}
