// Package diskspace tells how much fits on a disk.
package diskspace

import (
	"errors"
	"os"
	"path/filepath"
)

// Free is how many bytes the user may still write at path, or, where that does not exist,
// at the folder that it would be made in. Where the system does not say, the error is
// errors.ErrUnsupported.
func Free(path string) (int64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	for {
		_, err := os.Stat(path)
		if err == nil {
			return free(path)
		}
		if parent := filepath.Dir(path); errors.Is(err, os.ErrNotExist) && parent != path {
			path = parent
			continue
		}
		return 0, err
	}
}
