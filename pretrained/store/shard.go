package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"graft/internal/atomicfile"
	"graft/internal/filehash"
	"graft/internal/parallel"
)

// syncLimit is how many files of a shard are synced to disk at once.
const syncLimit = 8

// ShardWriter writes one shard. Rows go to temporary files as they come, so that
// memory does not grow with the shard. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing.
type ShardWriter struct {
	w     *Writer
	shard Record
	files []*atomicfile.File // one per folder of features
	rows  []Row
	buf   []byte
}

// Shard begins the shard that covers the count samples from first on.
func (w *Writer) Shard(first, count int) (*ShardWriter, error) {
	s := &ShardWriter{w: w, shard: Record{Plan: w.plan, Shard: Shard{First: first, Count: count, Files: map[string]string{}}}}
	for _, t := range w.manifest.folders() {
		f, err := atomicfile.CreateIn(w.work.dir, w.path(w.manifest.npyPath(t.Name, first)))
		if err != nil {
			s.Abort()
			return nil, err
		}
		s.files = append(s.files, f)
		// The header's place; its size does not depend on the number of rows as
		// long as that has a usual length, which Commit checks.
		if _, err := f.Write(npyHeader{w.manifest.DType, count, t.Dim}.encode()); err != nil {
			s.Abort()
			return nil, err
		}
	}
	return s, nil
}

// Append adds rows: feats[t] is [len(rows), Dim] of the manifest's tap t, flips
// likewise of the mirrored images (nil where the store has none). Values that are
// no finite numbers, or that the store's type cannot hold, are an error.
func (s *ShardWriter) Append(rows []Row, feats, flips [][]float32) error {
	m := s.w.manifest
	if len(feats) != len(m.Taps) || (m.Flip && len(flips) != len(m.Taps)) {
		return fmt.Errorf("%s: %d and %d matrices for %d taps", s.w.dir, len(feats), len(flips), len(m.Taps))
	}
	views := [][][]float32{feats}
	if m.Flip {
		views = append(views, flips)
	}
	for k, folder := range m.folders() {
		if err := s.appendTap(k, folder, rows, views[k%len(views)][k/len(views)]); err != nil {
			return err
		}
	}
	s.rows = append(s.rows, rows...)
	return nil
}

func (s *ShardWriter) appendTap(file int, tap Tap, rows []Row, x []float32) error {
	if len(x) != len(rows)*tap.Dim {
		return fmt.Errorf("%s: tap %s: %d values for %d rows of %d", s.w.dir, tap.Name, len(x), len(rows), tap.Dim)
	}
	s.buf = s.buf[:0]
	for i, r := range rows {
		var err error
		if s.buf, err = s.w.manifest.DType.appendRow(s.buf, x[i*tap.Dim:(i+1)*tap.Dim]); err != nil {
			return fmt.Errorf("tap %s of image %s: %w", tap.Name, r.ID, err)
		}
	}
	_, err := s.files[file].Write(s.buf)
	return err
}

// Drop notes a sample that is left out.
func (s *ShardWriter) Drop(b BadRow) { s.shard.Bad = append(s.shard.Bad, b) }

// Commit syncs the files, gives them their names, and then writes the shard's
// record: a shard that has one is whole.
func (s *ShardWriter) Commit() error {
	defer s.Abort()
	s.shard.Rows = len(s.rows)
	hashes := make([]string, len(s.files)+1)
	var g parallel.Group
	g.SetLimit(syncLimit)
	folders := s.w.manifest.folders()
	for i := range s.files {
		g.Go(func() (err error) {
			hashes[i], err = s.commitFile(s.files[i], folders[i])
			return err
		})
	}
	meta := s.w.manifest.metaPath(s.shard.First)
	g.Go(func() (err error) {
		hashes[len(s.files)], err = s.writeMeta(meta)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for i, t := range folders {
		s.shard.Files[s.w.manifest.npyPath(t.Name, s.shard.First)] = hashes[i]
	}
	s.shard.Files[meta] = hashes[len(s.files)]
	return s.w.add(s.shard)
}

// commitFile puts the right number of rows into the header, hashes the file and
// commits it.
func (s *ShardWriter) commitFile(f *atomicfile.File, t Tap) (string, error) {
	dt := s.w.manifest.DType
	head := npyHeader{dt, s.shard.Rows, t.Dim}.encode()
	if len(head) != len(npyHeader{dt, s.shard.Count, t.Dim}.encode()) {
		return "", errors.New("npy header changed its size")
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		return "", err
	}
	sum, err := filehash.Reader(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return "", err
	}
	return sum, f.Commit()
}

// writeMeta writes the shard's metadata file and returns its hash.
func (s *ShardWriter) writeMeta(slash string) (string, error) {
	var b bytes.Buffer
	if err := writeMeta(&b, s.rows); err != nil {
		return "", fmt.Errorf("%s: %w", slash, err)
	}
	return hashOf(b.Bytes()), s.w.replace(slash, b.Bytes())
}

// Abort removes what was written.
func (s *ShardWriter) Abort() {
	for _, f := range s.files {
		f.Abort()
	}
}
