//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A finished temporary is locked until it has its name, so that no sweep takes it.
func TestNamedUnderLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = f.commit(func(from, to string) error {
		other, err := os.Open(from)
		if err != nil {
			return err
		}
		defer other.Close()
		if err := lock(other); !errors.Is(err, errLocked) {
			t.Errorf("another's lock: %v, want %v", err, errLocked)
		}
		return os.Rename(from, to)
	})
	if _, gone := os.Stat(path); err != nil || gone != nil {
		t.Error(err, gone)
	}
}

// Where an open file cannot be named it is closed first.
func TestNamedWhenClosed(t *testing.T) {
	path, tries := filepath.Join(t.TempDir(), "a"), 0
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	err = f.commit(func(from, to string) error {
		if tries++; tries == 1 {
			return os.ErrPermission
		}
		return os.Rename(from, to)
	})
	if _, gone := os.Stat(path); err != nil || gone != nil || tries != 2 {
		t.Error(err, gone, tries)
	}
}

// Of another machine old files are swept, and no folders, whose age tells nothing of the files in them.
func TestSweepOfOthers(t *testing.T) {
	dir, old := t.TempDir(), time.Now().Add(-2*foreignAge)
	file, folder := filepath.Join(dir, TempPrefix+"f-0123456789abcdef"), filepath.Join(dir, TempPrefix+"d-0123456789abcdef")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Mkdir(folder, 0o755), os.Chtimes(file, old, old), os.Chtimes(folder, old, old)); err != nil {
		t.Fatal(err)
	}
	sweep(dir)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stayed: %v", err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("the folder went: %v", err)
	}
}
