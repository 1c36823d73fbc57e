package filehash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func ExampleReader() {
	sum, err := Reader(strings.NewReader("abc")) // the example of FIPS 180-2
	fmt.Println(sum, err)
	// Output: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad <nil>
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if _, err := File(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file gives %v", err)
	}
	if _, err := File(filepath.Dir(path)); err == nil {
		t.Error("a folder has a hash")
	}
	for text, want := range map[string]string{
		"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		// The third example of FIPS 180-2, longer than a buffer.
		strings.Repeat("a", 1_000_000): "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := File(path); err != nil || got != want {
			t.Errorf("%d bytes: %s, %v; want %s", len(text), got, err, want)
		}
	}
}

func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	if sum, err := Reader(iotest.ErrReader(broken)); !errors.Is(err, broken) || sum != "" {
		t.Errorf("got %q, %v", sum, err)
	}
}
