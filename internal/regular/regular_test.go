package regular_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/internal/regular"
)

func ExampleOpen() {
	_, err := regular.Open(os.TempDir())
	fmt.Println(strings.HasSuffix(err.Error(), "want a regular file, got a folder"))
	// Output: true
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if _, err := regular.Open(path); !os.IsNotExist(err) {
		t.Errorf("what is not there: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := regular.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
