//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package atomicfile

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

// lock fails: an open file's lock would keep the process's own second reader out, or there is none.
func lock(*os.File) error { return errors.ErrUnsupported }
