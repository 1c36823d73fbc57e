// Package atomicfile writes files that are either whole or absent: a temporary
// name beside the target, fsync, rename, fsync of the folder. A process killed
// at any moment leaves the old file or the new one, and at worst a stray
// temporary, whose name starts with TempPrefix and which the next process that
// writes in the folder removes.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// TempPrefix starts the names of temporaries; readers of folders skip them.
const TempPrefix = ".graft-tmp-"

// File is a file under construction. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing, so it can be deferred.
type File struct {
	*os.File
	target string // "" for what is written in place
	done   bool
}

// Create opens a temporary beside path, or, where path is a symbolic link, beside
// what that leads to. The folder must exist. The file gets the mode of the one that
// it replaces, a new one what umask leaves of 0666. Devices, pipes and open files
// of the process (/dev/stdout) are not replaced but written as they are.
func Create(path string) (*File, error) {
	path, inPlace, err := resolve(path)
	if err != nil {
		return nil, err
	}
	if !inPlace {
		return CreateIn(filepath.Dir(path), path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return &File{File: f}, nil
}

// maxLinks is how many symbolic links may lead to a file, as on Linux.
const maxLinks = 40

// resolve follows symbolic links, also to a file that is not there yet. inPlace
// tells that the path leads to something that must not be replaced.
func resolve(path string) (target string, inPlace bool, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "", false, fmt.Errorf("%s is a folder; want the name of a file", path)
	} else if err == nil && !info.Mode().IsRegular() {
		return path, true, nil
	}
	for range maxLinks {
		if strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/dev/fd/") {
			return path, true, nil // an open file, whose name may be no path
		}
		to, err := os.Readlink(path)
		if err != nil {
			return path, false, nil // no link, and perhaps nothing at all
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(path)
			to = dir + to
		}
		dir, name := filepath.Split(to)
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return "", false, fmt.Errorf("%s is a link to %s: %w", path, to, err)
		}
		path = filepath.Join(dir, name)
	}
	return "", false, fmt.Errorf("%s: more than %d symbolic links", path, maxLinks)
}

// CreateIn is Create with the temporary in folder dir, which must exist and lie
// on the same file system as path. What has that name is replaced, links too.
func CreateIn(dir, path string) (*File, error) {
	mode := fs.FileMode(0o666)
	old, err := os.Lstat(path)
	keep := err == nil && old.Mode().IsRegular()
	if keep {
		mode = old.Mode().Perm()
	}
	sweep(dir)
	var f *os.File
	err = errSwept
	for errors.Is(err, errSwept) {
		if f, err = os.OpenFile(filepath.Join(dir, filepath.Base(tempName(path))), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode); err != nil {
			break
		}
		if err = hold(f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		var named *os.PathError
		if errors.As(err, &named) {
			err = named.Err // the temporary's name would only puzzle
		}
		return nil, fmt.Errorf("create %s in folder %s: %w", filepath.Base(path), dir, err)
	}
	if keep {
		_ = f.Chmod(mode) // what umask took; some file systems have no modes
	}
	return &File{File: f, target: path}, nil
}

// Temporary tells whether Name is a temporary, which can be read back before Commit, and not what is written in place.
func (f *File) Temporary() bool { return f.target != "" }

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
		_ = os.Remove(from) // one that stays is swept later
		return nil
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
	if f.target == "" {
		return f.Close()
	}
	err, named := f.Sync(), false
	if err == nil && runtime.GOOS != "windows" {
		// Named under its lock: without that another process's sweep may take it for an abandoned one.
		named = name(f.Name(), f.target) == nil
	}
	if err = errors.Join(err, f.Close()); err == nil && !named {
		err = name(f.Name(), f.target) // Windows, and some file systems shared from it, name no open file
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.target, err), os.RemoveAll(f.Name()))
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
	if f.target != "" {
		_ = os.Remove(f.Name())
	}
}

// WriteFile writes data to path as Create and Commit do.
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

// Same tells whether two names, links included, lead to one file that is there: what
// reads one must not write the other.
func Same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
