package filehash

import (
	"context"
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
	if _, err := File(t.Context(), path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file gives %v", err)
	}
	if _, err := File(t.Context(), filepath.Dir(path)); err == nil {
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
		if got, err := File(t.Context(), path); err != nil || got != want {
			t.Errorf("%d bytes: %s, %v; want %s", len(text), got, err, want)
		}
	}
}

// A file of many gigabytes is not read to its end after Ctrl-C.
func TestEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	reads := 0
	sum, err := Reader(WithContext(ctx, readerFunc(func(p []byte) (int, error) {
		if reads++; reads == 3 {
			cancel()
		}
		return len(p), nil // without end
	})))
	if !errors.Is(err, context.Canceled) || sum != "" || reads != 3 {
		t.Errorf("%q, %v after %d reads; want the context's error after 3", sum, err, reads)
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if sum, err := File(ctx, path); !errors.Is(err, context.Canceled) || sum != "" {
		t.Errorf("File: %q, %v", sum, err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReaderFails(t *testing.T) {
	broken := errors.New("broken")
	if sum, err := Reader(iotest.ErrReader(broken)); !errors.Is(err, broken) || sum != "" {
		t.Errorf("got %q, %v", sum, err)
	}
}
