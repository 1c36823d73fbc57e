// Package store keeps embeddings on disk: a folder with a manifest, one npy file
// per tap and shard, and one parquet file per shard that says which image each row
// is of.
//
//	manifest.json            what made the store, and its finished shards with hashes
//	<tap>/00000.npy          float32 or float16 [rows, D], C order, memory-mappable
//	<tap>.flip/00000.npy     the same of the images mirrored left to right
//	meta/00000.parquet       index, id, split, label, label_name
//
// Shards cover fixed ranges of the selected samples and are whole or absent, so a
// broken-off extraction goes on where it stopped and ends with the bytes of one that
// was never stopped.
package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Store is a store open for reading. It keeps no files open.
type Store struct {
	dir      string
	manifest *Manifest
	rows     []Row
}

// Open reads a store's manifest and the metadata of its rows, and checks the sizes
// of all its files; Verify checks the features' hashes as well. A store whose
// extraction was broken off can be opened, but has no Matrix.
func Open(dir string) (*Store, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, manifest: m}
	for i := range m.Shards {
		if err := s.openShard(&m.Shards[i]); err != nil {
			return nil, fmt.Errorf("embedding store: %w", err)
		}
	}
	return s, nil
}

// maxMetaBytes caps a shard's metadata file: names of 1,000 bytes in the largest
// shard need as much.
const maxMetaBytes = 1 << 30

// openShard reads a shard's metadata and checks the sizes of its features.
func (s *Store) openShard(sh *Shard) error {
	meta := s.manifest.metaPath(sh.First)
	path := filepath.Join(s.dir, filepath.FromSlash(meta))
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxMetaBytes {
		return fmt.Errorf("%s has %d bytes, over the limit of %d", path, info.Size(), maxMetaBytes)
	}
	if err := verifyFile(s.dir, meta, sh.Files[meta]); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rows, err := readMeta(data, sh.Rows, s.manifest.Dataset.Classes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.rows = append(s.rows, rows...)
	for _, t := range s.manifest.folders() {
		if err := s.checkSize(sh, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkSize(sh *Shard, t Tap) error {
	path := s.npyFile(t.Name, sh)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	dt := s.manifest.DType
	if want := int64(len(encodeHeader(dt, sh.Rows, t.Dim))) + int64(sh.Rows)*int64(t.Dim)*int64(dt.Size()); info.Size() != want {
		return fmt.Errorf("%s has %d bytes, wanted %d for [%d,%d] %s; run the same extraction again to repair it",
			path, info.Size(), want, sh.Rows, t.Dim, dt)
	}
	return nil
}

func (s *Store) npyFile(folder string, sh *Shard) string {
	return filepath.Join(s.dir, filepath.FromSlash(s.manifest.npyPath(folder, sh.First)))
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Manifest is a copy of the manifest.
func (s *Store) Manifest() Manifest { return *s.manifest }

// Rows says which sample each row is, in the order of Matrix over all splits.
func (s *Store) Rows() []Row { return s.rows }

// Classes are the names of the labels.
func (s *Store) Classes() []string { return s.manifest.Dataset.Classes }

// Splits are the splits that were extracted.
func (s *Store) Splits() []string { return s.manifest.Dataset.Splits }

// HasFlip tells whether the features of mirrored images are there too.
func (s *Store) HasFlip() bool { return s.manifest.Flip }

// Taps are the names of the features.
func (s *Store) Taps() []string {
	var out []string
	for _, t := range s.manifest.Taps {
		out = append(out, t.Name)
	}
	return out
}

// ResolveTaps turns words into taps of this store: each a name, names separated
// by commas, or "all"; no words mean all.
func (s *Store) ResolveTaps(words []string) ([]Tap, error) {
	var out []Tap
	for _, w := range strings.Split(strings.Join(words, ","), ",") {
		w = strings.TrimSpace(w)
		at := slices.IndexFunc(s.manifest.Taps, func(t Tap) bool { return t.Name == w })
		switch {
		case w == "":
		case w == "all":
			out = append(out, s.manifest.Taps...)
		case at < 0:
			return nil, fmt.Errorf("store %s has no tap %q; it has %s", s.dir, w, strings.Join(s.Taps(), ", "))
		default:
			out = append(out, s.manifest.Taps[at])
		}
	}
	seen := map[string]bool{}
	out = slices.DeleteFunc(out, func(t Tap) bool {
		again := seen[t.Name]
		seen[t.Name] = true
		return again
	})
	if len(out) == 0 {
		out = s.manifest.Taps
	}
	return out, nil
}

// Verify compares every file with its hash; the first fault is returned.
func (s *Store) Verify(ctx context.Context, progress func(done, total int64)) error {
	faults, err := verifyShards(ctx, s.dir, s.manifest, progress)
	if err != nil {
		return err
	}
	for i := range s.manifest.Shards {
		if f := faults[s.manifest.Shards[i].First]; f != nil {
			return fmt.Errorf("embedding store: %w; run the same extraction again to repair it", f)
		}
	}
	return nil
}
