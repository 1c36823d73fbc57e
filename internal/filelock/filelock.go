// Package filelock gives one process at a time the right to write something.
// The lock is the operating system's, on a file of its own, so it ends with the
// process, however that ends; the file may stay behind and means nothing.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/gofrs/flock"
)

// ErrLocked says that somebody else has the lock: another process, or another
// Lock of this one.
var ErrLocked = errors.New("locked")

// Lock is held until Release.
type Lock struct{ f *flock.Flock }

// Acquire takes the lock whose file is path, making the file, or fails at once
// with an error that wraps ErrLocked, or errors.ErrUnsupported on a file system
// that has no locks. The folder of path must exist.
func Acquire(path string) (*Lock, error) {
	for {
		f := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
		switch ok, err := f.TryLock(); {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.ENOLCK): // a network file system without a lock service
			return nil, fmt.Errorf("lock %s: %w: %w", path, errors.ErrUnsupported, err)
		case err != nil:
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case !ok:
			return nil, fmt.Errorf("lock %s: %w", path, ErrLocked)
		}
		// Between open and lock the last holder may have removed the file: then
		// this is a lock on nothing.
		held, err := f.Stat()
		if there, gone := os.Stat(path); err == nil && gone == nil && os.SameFile(held, there) {
			return &Lock{f}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// Release removes the lock's file and lets go. The file goes while it is locked:
// afterwards it may be another's. Windows removes no open files, which also
// spares the file of whoever has the lock by then.
func (l *Lock) Release() error {
	if runtime.GOOS == "windows" {
		defer os.Remove(l.f.Path())
	} else {
		_ = os.Remove(l.f.Path())
	}
	return l.f.Close()
}

// Abandon lets go and leaves the file, as a process that dies does.
func (l *Lock) Abandon() error { return l.f.Close() }
