package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"graft/internal/filelock"
)

// lockName is the file that a writer holds locked.
const lockName = ".graft-lock"

// lockDir takes the store's lock, or fails at once if another writer has it.
func lockDir(dir string) (*filelock.Lock, error) {
	lock, err := filelock.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("%s: another process is writing this store; wait for it, or use another folder", dir)
	}
	return lock, err
}
