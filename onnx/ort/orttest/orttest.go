// Package orttest lets tests say that they need the ONNX Runtime library.
package orttest

import (
	"cmp"
	"os"
	"testing"

	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/session"
)

// Require skips the test, loudly, when ONNX Runtime's library is not installed,
// and fails it when GRAFT_REQUIRE_ORT is set to 1.
func Require(t testing.TB) {
	t.Helper()
	err := ort.Available()
	switch {
	case err == nil:
	case os.Getenv("GRAFT_REQUIRE_ORT") == "1":
		t.Fatalf("ONNX Runtime is needed (GRAFT_REQUIRE_ORT=1): %v", err)
	default:
		t.Skipf("SKIPPED, ONNX Runtime is needed: %v", err)
	}
}

// Open is ort.Open, which reads the header too, on the CPU where no provider is named.
func Open(path string, o session.Options) (session.Session, error) {
	o.Provider = cmp.Or(o.Provider, session.CPU)
	header, err := onnx.OpenHeader(path)
	if err != nil {
		return nil, err
	}
	return ort.Open(path, header, o)
}
