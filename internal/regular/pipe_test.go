//go:build unix

package regular_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"graft/internal/regular"
)

// A pipe without a writer is refused, not waited for.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	for name, want := range map[string]string{path: "got a pipe", "/dev/null": "got a device"} {
		if _, err := regular.Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
