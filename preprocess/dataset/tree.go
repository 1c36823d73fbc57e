package dataset

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/preprocess"
)

// entry is a file or folder of a tree.
type entry struct {
	name     string // slash-separated, below the tree's root
	dir      bool
	member   *zip.File // in a .zip
	at, size int64     // in a .tar: where its bytes lie
}

// tree is a folder or an archive with random access. Opening is safe for
// concurrent use.
type tree interface {
	// entries lists files and folders, and what is wrong with others.
	entries(ctx context.Context) (list []entry, faults []Bad, err error)
	open(e entry) (io.ReadCloser, error)
	size(e entry) (int64, error)
	// random opens files that are no images, and tells their length.
	random(e entry) (randomFile, int64, error)
	Close() error
}

// dirTree is a folder on disk. Links are followed: data sets are often put
// together from them.
type dirTree struct{ root string }

func (t dirTree) Close() error { return nil }

func (t dirTree) path(e entry) string { return filepath.Join(t.root, filepath.FromSlash(e.name)) }

func (t dirTree) open(e entry) (io.ReadCloser, error) { return openRegular(t.path(e)) }

func (t dirTree) size(e entry) (int64, error) { return regularSize(t.path(e)) }

// maxDepth is the deepest level of a folder that is looked at.
const maxDepth = 32

func (t dirTree) entries(ctx context.Context) (list []entry, faults []Bad, err error) {
	var above []fs.FileInfo // the folders that the walk is in: a link to one would lead in a circle
	var walk func(dir string) error
	walk = func(dir string) error {
		info, err := os.Stat(t.path(entry{name: dir}))
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if len(above) == maxDepth || slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
			faults = append(faults, Bad{dir, fmt.Sprintf("links lead in a circle, or folders lie deeper than %d", maxDepth)})
			return nil
		}
		above = append(above, info)
		defer func() { above = above[:len(above)-1] }()
		items, err := os.ReadDir(t.path(entry{name: dir}))
		if err != nil {
			return err
		}
		for _, it := range items {
			e := entry{name: path.Join(dir, it.Name()), dir: it.IsDir()}
			if it.Type()&os.ModeSymlink != 0 {
				// A link to nothing stays a file, whose reading will fail.
				info, err := os.Stat(t.path(e))
				e.dir = err == nil && info.IsDir()
			}
			if list = append(list, e); len(list) > maxMembers {
				return fmt.Errorf("folder %s has more than %d entries", t.root, maxMembers)
			}
			if e.dir && !isHidden(it.Name()) {
				if err := walk(e.name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err = walk("")
	return list, faults, err
}

// isImage tells images by their file names. Hidden files are none.
func isImage(name string) bool {
	return !isHidden(name) && slices.Contains(preprocess.Extensions, strings.ToLower(path.Ext(name)))
}

// holdsOnly tells a tree with files of a kind and no images beside them.
func holdsOnly(list []entry, is func(name string) bool) bool {
	found := false
	for _, e := range list {
		switch {
		case e.dir || isHidden(e.name):
		case isImage(e.name):
			return false
		case is(e.name):
			found = true
		}
	}
	return found
}

// isHidden are the files and folders that systems, editors and interrupted
// writers (whose names start with a dot too) leave about.
func isHidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" || strings.EqualFold(part, "Thumbs.db") || strings.EqualFold(part, "desktop.ini") {
			return true
		}
	}
	return false
}
