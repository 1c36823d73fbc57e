package orttest_test

import (
	"testing"

	"graft/onnx/ort"
	"graft/onnx/ort/orttest"
)

// A test that runs a model starts with Require.
func ExampleRequire() {
	_ = func(t *testing.T) {
		orttest.Require(t)
		// open sessions and run them
	}
}

// recorder notes what Require asks of a test.
type recorder struct {
	testing.TB
	fatal, skip bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.fatal = true }
func (r *recorder) Skipf(string, ...any)  { r.skip = true }

func TestRequire(t *testing.T) {
	if ort.Available() == nil {
		r := &recorder{}
		if orttest.Require(r); r.fatal || r.skip {
			t.Error("the library is here, and Require does not let the test run")
		}
		return
	}
	for value, wantFatal := range map[string]bool{"": false, "1": true} {
		t.Setenv("GRAFT_REQUIRE_ORT", value)
		r := &recorder{}
		if orttest.Require(r); r.fatal != wantFatal || r.skip == wantFatal {
			t.Errorf("GRAFT_REQUIRE_ORT=%q: fatal %v, skip %v", value, r.fatal, r.skip)
		}
	}
}
