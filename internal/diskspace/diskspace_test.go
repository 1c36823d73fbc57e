package diskspace_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"graft/internal/diskspace"
)

func Example() {
	n, err := diskspace.Free(os.TempDir())
	fmt.Println(n > 0 || errors.Is(err, errors.ErrUnsupported))
	// Output: true
}

func TestFreeOfWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	if _, err := diskspace.Free(dir); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not say")
	}
	if n, err := diskspace.Free(filepath.Join(dir, "a", "b")); err != nil || n <= 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
