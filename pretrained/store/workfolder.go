package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/filelock"
)

// workFolder is a writer's own folder below the store. Its files are made there and
// renamed to their places, so that two processes never write to one file. The lock
// in it tells whether the owner lives; nothing but the sweeping of what killed
// processes left depends on it, since network file systems may have no locks.
type workFolder struct {
	dir  string
	lock *filelock.Lock // nil where the file system has none
}

const (
	workPrefix   = atomicfile.TempPrefix + "part-"
	workLockName = "lock"
	// workTries is how often a folder may be swept away in the moment before
	// its lock is taken.
	workTries = 100
)

// prefix starts the names of the folders of a part's writers.
func (p Part) prefix() string { return fmt.Sprintf("%s%d-of-%d-", workPrefix, p.I, max(p.N, 1)) }

func newWorkFolder(store string, p Part) (*workFolder, error) {
	var err error
	for range workTries {
		var w workFolder
		if w.dir, err = os.MkdirTemp(store, p.prefix()+"*"); err != nil {
			return nil, err
		}
		w.lock, err = filelock.Acquire(filepath.Join(w.dir, workLockName))
		if err == nil || errors.Is(err, errors.ErrUnsupported) {
			return &w, nil
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, filelock.ErrLocked) {
			break
		}
	}
	return nil, fmt.Errorf("begin to write in %s: %w", store, err)
}

// close removes the folder and lets go of it.
func (w *workFolder) close() error {
	if w == nil {
		return nil
	}
	if w.lock == nil {
		return os.RemoveAll(w.dir)
	}
	err := w.empty()
	// Neither on Windows nor over NFS, which keeps it under another name, can the
	// folder of an open file be removed: so the lock goes first. By then somebody
	// who looks whether the owner lives may have a lock of his own in the folder,
	// and he removes it.
	err = errors.Join(err, w.lock.Release())
	_ = os.Remove(w.dir)
	return err
}

// empty removes everything but the lock.
func (w *workFolder) empty() error {
	entries, err := os.ReadDir(w.dir)
	for _, e := range entries {
		if e.Name() != workLockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.dir, e.Name())))
		}
	}
	return err
}

// atWork counts the writers of a store that live, as far as locks tell.
func atWork(store string) (n int) {
	locks, _ := filepath.Glob(filepath.Join(store, workPrefix+"*", workLockName)) // none below a folder that is no pattern
	for _, path := range locks {
		lock, err := filelock.Acquire(path)
		if errors.Is(err, filelock.ErrLocked) {
			n++
		} else if err == nil {
			_ = lock.Release()
		}
	}
	return n
}

// removeAbandoned removes the work folders, by the start of their names, whose owners are
// dead. Where that cannot be told they stay, and so do those that cannot be
// removed: they do no harm, and Verify names them.
func removeAbandoned(store, prefix string) error {
	entries, err := os.ReadDir(store)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		dir := filepath.Join(store, e.Name())
		// No lock: alive, just gone, or on a file system without locks.
		if lock, err := filelock.Acquire(filepath.Join(dir, workLockName)); err == nil {
			_ = (&workFolder{dir, lock}).close()
		}
	}
	return nil
}
