package extract

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"graft/internal/atomicfile"
	"graft/internal/filelock"
	"graft/pretrained/store"
)

// place is where a store's successor is made, where the store goes meanwhile, and from where it is removed. Only renames
// lead from one state to the next, and each state tells what is left to do:
//
//	out, perhaps next        the old store; what is in next may be anything
//	next and aside           the old store is out of its place
//	out and aside            the new store is in its place; what is not the store's own is still in aside
//	out and gone             all that is left is to remove the old store
type place struct{ out, next, aside, gone, lock string }

// maxLinks is how many links may lead on to a store.
const maxLinks = 40

// placeOf follows links, which stay: also one whose folder is out of its place.
func placeOf(out string) place {
	if path, err := filepath.Abs(out); err == nil {
		out = path
	}
	for range maxLinks {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(out)); err == nil {
			out = filepath.Join(dir, filepath.Base(out))
		}
		to, err := os.Readlink(out)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(out), to)
		}
		out = to
	}
	base := filepath.Join(filepath.Dir(out), atomicfile.TempPrefix+"extend-"+filepath.Base(out))
	return place{out, base + "-next", base + "-old", base + "-gone", base + "-lock"}
}

// locked does what only one process may do at a time.
func (p place) locked(do func() error) (err error) {
	lock, err := filelock.Acquire(p.lock)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("extend %s: another process is at it: %w", p.out, err)
	}
	if lock != nil {
		defer func() { err = errors.Join(err, lock.Release()) }()
	}
	return do()
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// swap puts the new store, which is whole, in the place of the old one.
func (p place) swap() error {
	if _, err := others(p.out, p.next); err != nil {
		return err
	}
	if err := os.Rename(p.out, p.aside); err != nil {
		return err
	}
	return p.finish()
}

// recover ends a swap that was broken off.
func (p place) recover() error {
	if !there(p.aside) && !there(p.gone) {
		return nil
	}
	return p.locked(p.finish)
}

func (p place) finish() error {
	if there(p.aside) {
		if err := p.settle(); err != nil {
			return err
		}
		list, err := others(p.aside, p.out)
		if err != nil {
			return err
		}
		for _, name := range list {
			if err := os.Rename(filepath.Join(p.aside, name), filepath.Join(p.out, name)); err != nil {
				return err
			}
		}
		if err := errors.Join(atomicfile.SyncDir(p.out), os.RemoveAll(p.gone)); err != nil {
			return err
		}
		if err := os.Rename(p.aside, p.gone); err != nil {
			return err
		}
	}
	return errors.Join(atomicfile.SyncDir(filepath.Dir(p.out)), os.RemoveAll(p.gone))
}

// settle sees to it that the new store is in its place.
func (p place) settle() error {
	switch out, next := there(p.out), there(p.next); {
	case out && next:
		return fmt.Errorf("%s is the store before an extension that was broken off, %s the one after it, and %s was made since: move %s elsewhere and run the same again", p.aside, p.next, p.out, p.out)
	case out:
		return nil
	case next:
		return os.Rename(p.next, p.out)
	}
	return fmt.Errorf("an extension was broken off, and the new store %s is not there: rename %s, the one before it, to %s", p.next, p.aside, p.out)
}

// others are the entries of the old store's folder that are not its own, and go to the new one's.
func others(from, to string) ([]string, error) {
	list, err := store.Others(from)
	if err != nil {
		return nil, err
	}
	for i, name := range list {
		list[i] = filepath.FromSlash(name)
		if there(filepath.Join(to, list[i])) {
			return nil, fmt.Errorf("%s is none of the store's own files, and the extended store has something by that name: move it elsewhere and run the same again", filepath.Join(from, list[i]))
		}
	}
	return list, nil
}
