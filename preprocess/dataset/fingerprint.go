package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync/atomic"

	"graft/internal/parallel"
	"graft/preprocess"
)

// How much of image files goes into the fingerprint, about a second's work:
// their bytes where all together are no longer than maxHashed, else the sizes of
// up to maxSized files. Asking a shared disk for a million sizes takes minutes,
// in every process anew.
const (
	maxHashed = 2 << 30
	maxSized  = 1 << 17
)

// Fingerprint hashes what decides pixels, labels, splits and order, as
// "sha256:" and 64 hex digits. Two sets with the same fingerprint give the same
// embeddings, row for row.
//
// A CSV is covered whole, by its decoded pixels: bare or in any archive, with
// other column order, quotes or line ends, its fingerprint is the same. So is
// the synthetic set. Of a folder or its .zip, which share a fingerprint, the
// paths below the split folders' parent are covered, and the files' bytes; of a
// list the paths as they are written, and the files' bytes. In a set of more than
// 2 GiB sizes stand for bytes, so that there a file changed without changing its
// size goes unnoticed; of more than 131,072 images neither is looked at, only
// names (of a table of paths these too), labels, splits and order count. Never covered: dates, what is left out,
// and where the set lies. It ends with ctx.
func (d *Dataset) Fingerprint(ctx context.Context) (string, error) {
	if d.src == nil {
		return "", errClosed
	}
	h := sha256.New()
	writeStrings(h, "graft-dataset-1")
	writeStrings(h, d.Classes...)
	writeStrings(h, d.Splits...)
	for _, s := range d.Samples {
		writeStrings(h, s.Split, string(s.Votes))
		writeInts(h, s.Label)
	}
	if err := d.form.fingerprint(ctx, d, h); err != nil {
		return "", fmt.Errorf("fingerprint %s: %w", d.Path, err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// writeStrings writes a list so that no other list gives the same bytes.
func writeStrings(h hash.Hash, list ...string) {
	writeInts(h, len(list))
	for _, s := range list {
		writeInts(h, len(s))
		h.Write([]byte(s))
	}
}

func writeInts(h hash.Hash, list ...int) {
	var b [8]byte
	for _, v := range list {
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:])
	}
}

// ofPixels fingerprints forms by what their images decode to.
type ofPixels struct{}

func (ofPixels) fingerprint(ctx context.Context, d *Dataset, h hash.Hash) error {
	for i := range d.Samples {
		if err := ctx.Err(); err != nil {
			return err
		}
		im, err := d.src.image(ctx, i)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Samples[i].ID, err)
		}
		writeInts(h, im.C, im.H, im.W)
		h.Write(im.Pix)
	}
	return nil
}

// ofFiles fingerprints forms by the names of their image files, and the files' bytes
// or sizes. Of a file that cannot be read its fault stands for both.
type ofFiles struct{}

func (ofFiles) fingerprint(ctx context.Context, d *Dataset, h hash.Hash) error {
	src := d.src.(fileSource)
	for i := range d.Samples {
		writeStrings(h, d.Samples[i].ID)
	}
	writePaths := func() { // where IDs need not be paths, and the files' bytes are not read
		if s, ok := src.(interface{ writePaths(hash.Hash) }); ok {
			s.writePaths(h)
		}
	}
	if len(d.Samples) > maxSized {
		writePaths()
		return nil
	}
	sizes := make([]int64, len(d.Samples))
	var total atomic.Int64
	err := d.eachFile(ctx, func(i int) (err error) {
		if sizes[i], err = src.size(i); err == nil {
			total.Add(sizes[i])
		}
		return err
	}, func(i int, reason string) { sizes[i] = -1 })
	if err != nil {
		return err
	}
	if total.Load() > maxHashed {
		for _, n := range sizes {
			writeInts(h, int(n))
		}
		writePaths()
		return nil
	}
	sums := make([][sha256.Size]byte, len(d.Samples))
	err = d.eachFile(ctx, func(i int) error {
		data, err := fileBytes(src, i)
		sums[i] = sha256.Sum256(data)
		return err
	}, func(i int, reason string) { sums[i] = sha256.Sum256([]byte("graft-bad-image: " + reason)) })
	for i := range sums {
		h.Write(sums[i][:])
	}
	return err
}

// eachFile runs f for every sample on all cores. A bad image is told to bad; other
// errors end it.
func (d *Dataset) eachFile(ctx context.Context, f func(i int) error, bad func(i int, reason string)) error {
	return parallel.For(ctx, len(d.Samples), nil, func(i int) error {
		err := f(i)
		var fault *preprocess.BadImageError
		if errors.As(err, &fault) {
			bad(i, fault.Reason)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", d.Samples[i].ID, err)
		}
		return nil
	})
}
