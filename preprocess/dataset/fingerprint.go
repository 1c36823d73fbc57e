package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// maxHashed is the size up to which the bytes of image files go into the
// fingerprint, a second's reading; above it their sizes must do.
const maxHashed = 2 << 30

// Fingerprint hashes what decides pixels, labels, splits and order, as
// "sha256:" and 64 hex digits. Two sets with the same fingerprint give the same
// embeddings, row for row.
//
// A CSV is covered whole, by its decoded pixels: bare or in any archive, with
// other column order, quotes or line ends, its fingerprint is the same. So is
// the synthetic set. Of a folder or its .zip, which share a fingerprint, the
// paths below the split folders' parent are covered, and the files' bytes; in
// a set of more than 2 GiB instead of the bytes only their number, so that
// there a file changed without changing its size goes unnoticed. Never
// covered: dates, what is left out, and where the set lies.
func (d *Dataset) Fingerprint() (string, error) {
	if d.src == nil {
		return "", ErrClosed
	}
	h := sha256.New()
	writeStrings(h, "graft-dataset-1")
	writeStrings(h, d.Classes...)
	writeStrings(h, d.Splits...)
	for _, s := range d.Samples {
		writeStrings(h, s.Split, string(s.Votes))
		writeInts(h, s.Label)
	}
	var err error
	if t, ok := d.src.(*treeSource); ok {
		err = t.hash(h)
	} else {
		err = d.hashPixels(h)
	}
	if err != nil {
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

func (d *Dataset) hashPixels(h hash.Hash) error {
	for i := range d.Samples {
		im, err := d.src.image(i)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Samples[i].ID, err)
		}
		writeInts(h, im.C, im.H, im.W)
		h.Write(im.Pix)
	}
	return nil
}

// hash covers the names of the files, and their bytes or sizes.
func (s *treeSource) hash(h hash.Hash) error {
	var total int64
	sizes := make([]int64, len(s.images))
	for i, im := range s.images {
		var err error
		if sizes[i], err = s.tree.size(im.entry); err != nil {
			return err
		}
		total += sizes[i]
		writeStrings(h, im.id)
	}
	if total > maxHashed {
		for _, n := range sizes {
			writeInts(h, int(n))
		}
		return nil
	}
	sums := make([][sha256.Size]byte, len(s.images))
	err := each(context.Background(), len(s.images), func(i int) error {
		data, err := s.bytes(i)
		if err != nil {
			return fmt.Errorf("%s: %w", s.images[i].id, err)
		}
		sums[i] = sha256.Sum256(data)
		return nil
	})
	for i := range sums {
		h.Write(sums[i][:])
	}
	return err
}
