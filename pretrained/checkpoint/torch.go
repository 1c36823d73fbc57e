package checkpoint

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// Limits on the zip file. Stored members are read in place; compressed ones,
// which torch never writes but repacking tools do, may not grow beyond what
// deflate can do nor beyond maxInflated.
const (
	maxDirectory    = 64 << 20 // bytes read to find the members
	maxInflated     = 4 << 30  // bytes of a compressed member
	maxDeflateRatio = 1032     // of deflate: 258 bytes from two bits
)

// zipArchive is the members of one torch file.
type zipArchive struct {
	r       io.ReaderAt
	size    int64
	root    string // what the members' names start with, "archive/"
	members map[string]*zip.File
}

// readTorch reads the pickle of a torch zip file. Tensors stay where they are.
func readTorch(r io.ReaderAt, size int64, key string) (*contents, error) {
	a, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	data, err := readMember(a.members[a.root+"data.pkl"], maxPickle)
	if err != nil {
		return nil, err
	}
	var value any
	n, err := screenPickle(data)
	if err == nil && n != len(data) {
		err = fmt.Errorf("pickle: %d bytes after its end", len(data)-n)
	}
	if err == nil {
		value, err = loadPickle(data, persistentStorage)
	}
	if err != nil {
		return nil, fmt.Errorf("%sdata.pkl: %w", a.root, err)
	}
	return resolve(value, key, func(key string) (storage, error) { return a.member(key) })
}

// openZip reads the directory of the archive and finds data.pkl.
func openZip(r io.ReaderAt, size int64) (*zipArchive, error) {
	limited := &limitedReaderAt{r: r}
	limited.left.Store(maxDirectory)
	z, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, fmt.Errorf("zip: %w (is it whole?)", err)
	}
	limited.left.Store(1 << 62)
	a := &zipArchive{r: r, size: size, members: make(map[string]*zip.File, len(z.File))}
	found := false
	for _, f := range z.File {
		if a.members[f.Name] != nil {
			return nil, fmt.Errorf("zip: the member %s stands twice", quote(f.Name))
		}
		a.members[f.Name] = f
		if root, ok := strings.CutSuffix(f.Name, "data.pkl"); ok && (root == "" || strings.Count(root, "/") == 1 && strings.HasSuffix(root, "/")) {
			if found {
				return nil, fmt.Errorf("zip: %s and %s: two files in one", quote(a.root+"data.pkl"), quote(f.Name))
			}
			a.root, found = root, true
		}
	}
	if !found {
		return nil, errors.New("a zip file without data.pkl, so none that torch.save wrote")
	}
	return a, a.checkByteOrder()
}

// checkByteOrder refuses archives whose numbers lie in another order.
func (a *zipArchive) checkByteOrder() error {
	f := a.members[a.root+"byteorder"]
	if f == nil {
		return nil // before torch 2.1, little-endian in practice
	}
	order, err := readMember(f, 16)
	if err == nil && string(order) != "little" {
		err = fmt.Errorf("its byte order is %s, want little; save it again on a little-endian machine", quote(string(order)))
	}
	return err
}

// readMember reads a small member as a whole.
func readMember(f *zip.File, limit uint64) ([]byte, error) {
	if f.UncompressedSize64 > limit {
		return nil, fmt.Errorf("zip: %s has %d bytes, more than the limit of %d", quote(f.Name), f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("zip: %s: %w", quote(f.Name), err)
	}
	defer r.Close()
	// Not by the claimed size: a member may end early.
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("zip: %s: %w", quote(f.Name), err)
	}
	return data, nil
}

// member is a storage in a zip archive.
type member struct {
	f      *zip.File
	r      io.ReaderAt
	offset int64 // of the data in the file
}

// member finds a storage by its key and checks it against the file's size.
func (a *zipArchive) member(key string) (*member, error) {
	name := a.root + "data/" + key
	f := a.members[name]
	if f == nil {
		return nil, fmt.Errorf("zip: no member %s", quote(name))
	}
	offset, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("zip: %s: %w", quote(name), err)
	}
	packed, full := f.CompressedSize64, f.UncompressedSize64
	switch {
	case offset > a.size || packed > uint64(a.size-offset):
		return nil, fmt.Errorf("zip: %s claims %d bytes, the file ends before (is it whole?)", quote(name), packed)
	case f.Method == zip.Store && packed != full:
		return nil, fmt.Errorf("zip: %s is stored, but claims sizes of %d and %d", quote(name), packed, full)
	case f.Method == zip.Deflate && (full > maxInflated || full/maxDeflateRatio > packed):
		return nil, fmt.Errorf("zip: %s claims %d bytes from %d, more than deflate can do or than the limit of %d", quote(name), full, packed, int64(maxInflated))
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return nil, fmt.Errorf("zip: %s: compression method %d is not supported", quote(name), f.Method)
	}
	return &member{f: f, r: a.r, offset: offset}, nil
}

func (m *member) size() int64 { return int64(m.f.UncompressedSize64) }

// section opens part of the member. Read as a whole it is checked against the
// archive's checksum; parts of a stored member are read in place.
func (m *member) section(off, n int64) (io.ReadCloser, error) {
	whole := off == 0 && n == m.size()
	if m.f.Method == zip.Store && !whole {
		return io.NopCloser(io.NewSectionReader(m.r, m.offset+off, n)), nil
	}
	r, err := m.f.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, off); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &checkedReader{ReadCloser: r, whole: whole}, nil
}

// checkedReader reads to the end on Close, where zip compares checksums.
type checkedReader struct {
	io.ReadCloser
	whole bool
}

func (c *checkedReader) Close() error {
	var err error
	if c.whole {
		var b [1]byte
		if _, e := io.ReadFull(c.ReadCloser, b[:]); e != io.EOF {
			err = fmt.Errorf("zip member: %w", e)
		}
	}
	return errors.Join(err, c.ReadCloser.Close())
}

// limitedReaderAt fails once more than left bytes have been read, so that a
// directory of any size cannot fill the memory.
type limitedReaderAt struct {
	r    io.ReaderAt
	left atomic.Int64
}

func (l *limitedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.left.Add(-int64(len(p))) < 0 {
		return 0, fmt.Errorf("its directory takes more than the limit of %d bytes", maxDirectory)
	}
	return l.r.ReadAt(p, off)
}
