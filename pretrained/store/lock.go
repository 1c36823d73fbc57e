package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lockName is the file that a writer holds locked. The lock is the operating
// system's, so it ends with the process, however that ends; the file itself may
// stay behind and means nothing.
const lockName = ".graft-lock"

// errLocked says that another process has the lock.
var errLocked = errors.New("locked")

// lockDir takes the store's lock, or fails at once if another writer has it.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			f.Close()
			if errors.Is(err, errLocked) {
				return nil, fmt.Errorf("%s: another process is writing this store; wait for it, or use another folder", dir)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Between open and lock the last holder may have removed the file: then
		// this is a lock on nothing.
		if isFile(f, path) {
			return f, nil
		}
		f.Close()
	}
}

// isFile tells whether path still names the open file f.
func isFile(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// unlockDir removes the lock file while it is still held, then lets go.
func unlockDir(f *os.File) error {
	removeLocked(f)
	return f.Close()
}
