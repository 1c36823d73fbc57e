package dataset

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/preprocess"
)

// entry is a file or folder of a tree.
type entry struct {
	name   string // slash-separated, below the tree's root
	dir    bool
	member *zip.File // in a .zip
}

// tree is a folder or an archive with random access. Opening is safe for
// concurrent use.
type tree interface {
	entries(ctx context.Context) (list []entry, outside []string, err error)
	open(e entry) (io.ReadCloser, error)
	size(e entry) (int64, error)
	Close() error
}

// dirTree is a folder on disk. Links are followed: data sets are often put
// together from them.
type dirTree struct{ root string }

func (t dirTree) Close() error { return nil }

func (t dirTree) path(e entry) string { return filepath.Join(t.root, filepath.FromSlash(e.name)) }

func (t dirTree) open(e entry) (io.ReadCloser, error) { return openRegular(t.path(e)) }

func (t dirTree) size(e entry) (int64, error) { return regularSize(t.path(e)) }

// maxDepth is the deepest level looked at: wrapper, split, class, file. It also
// ends walks in circles of links.
const maxDepth = 4

func (t dirTree) entries(ctx context.Context) (list []entry, _ []string, err error) {
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		items, err := os.ReadDir(filepath.Join(t.root, filepath.FromSlash(dir)))
		if err != nil {
			return err
		}
		for _, it := range items {
			e := entry{name: path.Join(dir, it.Name()), dir: it.IsDir()}
			if it.Type()&os.ModeSymlink != 0 {
				// A link to nothing stays a file, whose reading will fail.
				info, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(e.name)))
				e.dir = err == nil && info.IsDir()
			}
			if list = append(list, e); len(list) > maxMembers {
				return fmt.Errorf("folder %s has more than %d entries", t.root, maxMembers)
			}
			if e.dir && depth < maxDepth {
				if err := walk(e.name, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err = walk("", 1)
	return list, nil, err
}

// isImage tells images by their file names. Hidden files are none.
func isImage(name string) bool {
	return !isHidden(name) && slices.Contains(preprocess.Extensions, strings.ToLower(path.Ext(name)))
}

// isHidden are the files and folders that systems, editors and interrupted
// writers (whose names start with a dot too) leave about.
func isHidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" || strings.EqualFold(part, "Thumbs.db") {
			return true
		}
	}
	return false
}
