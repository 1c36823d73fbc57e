package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"

	"graft/internal/regular"
)

// randomFile is a file of a tree, of any length, read at any place.
type randomFile interface {
	io.ReaderAt
	io.Closer
}

// part is a piece of a file that somebody else closes.
type part struct{ *io.SectionReader }

func (part) Close() error { return nil }

// plainFile closes and removes what was unpacked.
type plainFile struct {
	io.ReaderAt
	remove func() error
}

func (f plainFile) Close() error { return f.remove() }

func (t dirTree) random(e entry) (randomFile, int64, error) {
	info, err := os.Stat(t.path(e))
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file but %s", e.name, regular.Kind(info.Mode()))
	}
	f, err := os.Open(t.path(e))
	return f, info.Size(), err
}

func (t *tarTree) random(e entry) (randomFile, int64, error) {
	f, err := t.plain()
	return part{io.NewSectionReader(f, e.at, e.size)}, e.size, err
}

// random unpacks packed members to a temporary file.
func (t *zipTree) random(e entry) (randomFile, int64, error) {
	r, err := openMember(e.member)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	if e.member.Method == zip.Store {
		at, err := e.member.DataOffset()
		size := int64(min(e.member.CompressedSize64, maxCSVBytes))
		return part{io.NewSectionReader(t.f, at, size)}, size, err
	}
	f, remove, err := tempFile()
	if err != nil {
		return nil, 0, err
	}
	size, err := io.Copy(f, &cappedReader{r: r, left: maxCSVBytes})
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("unpack to the disk: %w (set TMPDIR to a folder with room, or unpack the archive)", err), remove())
	}
	return plainFile{f, remove}, size, nil
}
