// Package atomicfile writes files that are either whole or absent: a temporary
// name beside the target, fsync, rename, fsync of the folder. A process killed
// at any moment leaves the old file or the new one, and at worst a stray
// temporary, whose name starts with TempPrefix.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// TempPrefix starts the names of temporaries; readers of folders skip them.
const TempPrefix = ".graft-tmp-"

// File is a file under construction. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing, so it can be deferred.
type File struct {
	*os.File
	target string
	done   bool
}

// Create opens a temporary beside path. The folder of path must exist.
func Create(path string) (*File, error) { return CreateIn(filepath.Dir(path), path) }

// CreateIn is Create with the temporary in folder dir, which must exist and lie
// on the same file system as path.
func CreateIn(dir, path string) (*File, error) {
	f, err := os.CreateTemp(dir, TempPrefix+filepath.Base(path)+"-*")
	if err != nil {
		var named *os.PathError
		if errors.As(err, &named) {
			err = named.Err // the temporary's name would only puzzle
		}
		return nil, fmt.Errorf("create %s in folder %s: %w", filepath.Base(path), dir, err)
	}
	return &File{File: f, target: path}, nil
}

// Commit syncs the temporary to disk and gives it its final name.
func (f *File) Commit() error { return f.commit(os.Rename) }

// CommitNew is Commit for a file that nobody may have made before: if there is
// one by that name, it stays and the error wraps os.ErrExist. Of many processes
// at once, on one machine or on several that share the file system, one wins.
func (f *File) CommitNew() error { return f.commit(linkNew) }

// linkNew gives a file its name unless that is taken. Where the file system has
// no hard links, a look and a rename have to do.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if _, taken := os.Lstat(to); taken == nil || errors.Is(err, os.ErrExist) {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: os.ErrExist}
	}
	return os.Rename(from, to)
}

func (f *File) commit(name func(from, to string) error) error {
	if f.done {
		return errors.New("atomicfile: already committed or aborted")
	}
	f.done = true
	// CreateTemp makes files readable by their owner alone; what graft writes
	// is ordinary output.
	err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = name(f.Name(), f.target)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.target, err), ignoreMissing(os.Remove(f.Name())))
	}
	return SyncDir(filepath.Dir(f.target))
}

// Abort discards the temporary.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// WriteFile writes data to path atomically.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// SyncDir makes renames inside dir durable. Windows has no such call and needs
// none; nor have some network file systems, such as SMB, whose folders cannot be
// synced.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
