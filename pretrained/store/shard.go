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
		if _, err := f.Write(npyHeader{t.DType, count, t.Row()}.encode()); err != nil {
			s.Abort()
			return nil, err
		}
	}
	return s, nil
}

// Append adds rows: views[0][t] is [len(rows), Dim] of the manifest's tap t; with
// Manifest.Flip views[1] is likewise of the mirrored images, and those of further
// Views come after, each with rows of the train split alone. Values that are no finite
// numbers, or that the tap's type cannot hold, are an error.
func (s *ShardWriter) Append(rows []Row, views ...[][]float32) error {
	m := s.w.manifest
	if len(views) != m.views() {
		return fmt.Errorf("%s: features of %d views for %d", s.w.dir, len(views), m.views())
	}
	for v, taps := range views {
		if len(taps) != len(m.Taps) {
			return fmt.Errorf("%s: view %d: %d matrices for %d taps", s.w.dir, v, len(taps), len(m.Taps))
		}
	}
	for k, f := range m.folders() {
		if err := s.appendTap(k, f, rows, views[f.view][k/len(views)]); err != nil {
			return err
		}
	}
	s.rows = append(s.rows, rows...)
	return nil
}

func (s *ShardWriter) appendTap(file int, f folder, rows []Row, x []float32) error {
	if n := f.header(rows).rows; len(x) != n*f.Dim {
		return fmt.Errorf("%s: tap %s: %d values for %d rows of %d", s.w.dir, f.Name, len(x), n, f.Dim)
	}
	s.buf = s.buf[:0]
	for _, r := range rows {
		if !f.has(r.Split) {
			continue
		}
		var err error
		if s.buf, err = f.DType.appendRow(s.buf, x[:f.Dim]); err != nil {
			return fmt.Errorf("tap %s of image %s: %w", f.Name, r.ID, err)
		}
		x = x[f.Dim:]
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
func (s *ShardWriter) commitFile(f *atomicfile.File, t folder) (string, error) {
	head := t.header(s.rows).encode()
	if len(head) != len(npyHeader{t.DType, s.shard.Count, t.Row()}.encode()) {
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
