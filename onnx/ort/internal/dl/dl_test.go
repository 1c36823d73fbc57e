//go:build cgo || windows

package dl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/ort/internal/dl"
)

func ExampleVersion() {
	_, err := dl.Version("libonnxruntime-missing.so")
	fmt.Println(err != nil)
	// Output: true
}

func TestVersionRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(path, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	if v, err := dl.Version(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %q, %v; want an error that names the file", v, err)
	}
}
