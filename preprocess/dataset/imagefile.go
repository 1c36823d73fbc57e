package dataset

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/klauspost/compress/flate"

	"graft/internal/regular"
	"graft/preprocess"
)

// openRegular opens a file that holds something: what else bears an image's name
// (a folder, a pipe, which would wait for a writer for ever, a device) is a bad
// image, and so is what is not there.
func openRegular(path string) (*os.File, error) {
	if _, err := regularSize(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return f, fileFault(err)
}

// regularSize is the length of a regular file that is not too long to be read.
func regularSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fileFault(err)
	}
	if !info.Mode().IsRegular() {
		return 0, &preprocess.BadImageError{Reason: "not a regular file but " + regular.Kind(info.Mode())}
	}
	return info.Size(), checkLength(info.Size())
}

// checkLength refuses files too long before any of it is read.
func checkLength(n int64) error {
	if n > preprocess.MaxFileBytes {
		return &preprocess.BadImageError{Reason: fmt.Sprintf("image file is longer than %d bytes", preprocess.MaxFileBytes)}
	}
	return nil
}

// fileFaults are the failures to open a file that concern that file alone. All
// others, such as too many open files or a failing disk, concern the rest too.
var fileFaults = []struct {
	err    error
	reason string
}{
	{fs.ErrNotExist, "file not found"},
	{syscall.ENOTDIR, "file not found"},
	{fs.ErrPermission, "permission denied"},
	{syscall.ELOOP, "links lead in a circle"},
	{syscall.ENAMETOOLONG, "file name is too long"},
	{fs.ErrInvalid, "file name is not valid"},
}

// fileFault turns such failures into a bad image, without the path.
func fileFault(err error) error {
	for _, f := range fileFaults {
		if err != nil && errors.Is(err, f.err) {
			return &preprocess.BadImageError{Reason: f.reason, Err: err}
		}
	}
	return err
}

// memberReader turns what is wrong with one member of an archive into a bad image.
type memberReader struct{ io.ReadCloser }

func (m memberReader) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	return n, memberFault(err)
}

func memberFault(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) {
		return &preprocess.BadImageError{Reason: "archive member: " + corrupt.Error(), Err: err}
	}
	for _, fault := range []error{zip.ErrChecksum, zip.ErrFormat, zip.ErrAlgorithm, errEncrypted, io.ErrUnexpectedEOF} {
		if errors.Is(err, fault) {
			return &preprocess.BadImageError{Reason: "archive member: " + fault.Error(), Err: err}
		}
	}
	return err
}

// fileSource is a source whose images are files of their own. Faults of a file
// are bad images.
type fileSource interface {
	source
	open(i int) (io.ReadCloser, error)
	size(i int) (int64, error)
}

// decode decodes file i.
func decode(ctx context.Context, s fileSource, i int) (preprocess.Image, error) {
	r, err := s.open(i)
	if err != nil {
		return preprocess.Image{}, err
	}
	im, err := preprocess.Decode(ctx, r)
	return im, errors.Join(err, r.Close())
}

// fileBytes reads file i as it is.
func fileBytes(s fileSource, i int) ([]byte, error) {
	r, err := s.open(i)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, preprocess.MaxFileBytes+1))
	return data, errors.Join(err, checkLength(int64(len(data))))
}
