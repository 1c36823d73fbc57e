// Package filelock gives one process at a time the right to write something.
// The lock is the operating system's, on a file of its own, so it ends with the
// process, however that ends; the file may stay behind and means nothing.
package filelock

import (
	"errors"
	"fmt"
	"os"
)

// ErrLocked says that somebody else has the lock: another process, or another
// Lock of this one.
var ErrLocked = errors.New("locked")

// Lock is held until Release.
type Lock struct{ f *os.File }

// Acquire takes the lock whose file is path, making the file, or fails at once
// with an error that wraps ErrLocked, or errors.ErrUnsupported on a file system
// that has no locks. The folder of path must exist.
func Acquire(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		// Between open and lock the last holder may have removed the file: then
		// this is a lock on nothing.
		if isFile(f, path) {
			return &Lock{f}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// isFile tells whether path still names the open file f.
func isFile(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// Release removes the lock's file, unless another holds it by then, and lets go.
func (l *Lock) Release() error { return release(l.f) }
