// Package filehash computes the SHA-256 of files, in the form that sha256sum
// prints and that manifests, records and pins hold: 64 lower-case hex digits.
package filehash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"graft/internal/regular"
)

// bufferSize is the bytes of one read: large files, few system calls.
const bufferSize = 128 << 10

// File returns the SHA-256 of the file at path. Where there is none the error
// wraps os.ErrNotExist; the end of ctx ends the reading.
func File(ctx context.Context, path string) (string, error) {
	f, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, err := Reader(WithContext(ctx, f))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return sum, nil
}

// Reader returns the SHA-256 of what r holds up to its end.
func Reader(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, bufferSize)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// WithContext is r until ctx ends, and then ctx's error.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
