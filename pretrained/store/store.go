// Package store keeps embeddings on disk: a folder with a manifest, one npy file
// per tap and shard, and one parquet file per shard that says which image each row
// is of.
//
//	manifest.json            what made the store; when finished, its shards with hashes
//	<tap>/00000.npy          float32 or float16 [rows, D], C order, memory-mappable
//	<tap>.flip/00000.npy     the same of the images mirrored left to right
//	<tap>.view2/00000.npy    the same of the train split's images, changed at random (Views)
//	tokens_8/00000.npy       float16 [rows, T, D]: tokens after a block (Tokens)
//	meta/00000.parquet       index, id, split, label, label_name, and of the image its
//	                         key and print (package duplicate) and the user's group
//	meta/errors.parquet      index, id, split, label, reason of the images left out, if any
//	groups.parquet           index, key, print, group: which rows are the same, when finished
//	shards/00000.json        the shard's rows and hashes, written when the shard is whole
//	shards/plan.json         the manifest as the store was begun: with the records the manifest anew, should it get lost
//
// Shards cover fixed ranges of the selected samples and are whole or absent, so a
// broken-off extraction goes on where it stopped and ends with the bytes of one that
// was never stopped. The manifest is settled when the store is begun and completed
// when the last shard is there; in between each shard stands in a file of its own. So
// several processes, on machines that share the folder, write to one store without
// knowing of each other, and nothing relies on more than that a rename is atomic.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"graft/internal/filehash"
	"graft/internal/regular"
)

// Store is a store open for reading. It keeps no files open.
type Store struct {
	dir      string
	manifest *Manifest // of an unfinished store with the shards that are there
	finished bool
	rows     []Row
	bad      []BadRow
	whole    sync.Map // of the paths of features' files: func() error, which compares the file with its hash once
}

// Open reads a store's manifest and the metadata of its rows, and checks the sizes
// of all its files. Features' hashes are checked when they are first read, all of them by Verify. A store whose
// extraction was broken off can be opened, but has no Matrix.
func Open(dir string) (*Store, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, manifest: m, finished: m.Complete()}
	if s.finished {
		err = s.readErrors()
	} else {
		err = s.readRecords()
	}
	if err != nil {
		return nil, fmt.Errorf("embedding store: %w", err)
	}
	for i := range s.manifest.Shards { // of an unfinished store those with a record
		if err := s.openShard(&s.manifest.Shards[i]); err != nil {
			return nil, fmt.Errorf("embedding store: %w", err)
		}
	}
	if err := s.readGroups(); err != nil {
		return nil, fmt.Errorf("embedding store: %w", err)
	}
	return s, nil
}

// readErrors reads which samples a finished store left out.
func (s *Store) readErrors() (err error) {
	if s.manifest.Errors == "" {
		return nil
	}
	data, err := s.readHashed(errorsPath, s.manifest.Errors)
	if err != nil {
		return err
	}
	if s.bad, err = readBad(data, s.manifest.Samples-s.manifest.rows()); err != nil {
		return fmt.Errorf("%s: %w", errorsPath, err)
	}
	return nil
}

// readRecords finds the shards of an unfinished store; those with a damaged record
// count as not made.
func (s *Store) readRecords() error {
	plan, err := s.manifest.plan()
	if err != nil {
		return err
	}
	listed := *s.manifest
	s.manifest = s.manifest.begun()
	for k := range listed.shardCount() {
		r, ok, _, damage := recordOf(s.dir, &listed, plan, k)
		if errors.As(damage, new(*MismatchError)) {
			return damage
		}
		if ok {
			s.manifest.Shards = append(s.manifest.Shards, r.Shard)
			s.bad = append(s.bad, r.Bad...)
		}
	}
	return nil
}

// repair is the way out of a missing or damaged file.
const repair = "run the same extraction again to repair the store"

// maxMetaBytes caps a file of metadata: names of 1,000 bytes in the largest shard
// need as much.
const maxMetaBytes = 1 << 30

// readHashed reads a file of metadata that must have the hash.
func (s *Store) readHashed(slash, sum string) ([]byte, error) {
	path := filepath.Join(s.dir, filepath.FromSlash(slash))
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, repair)
	}
	if info.Size() > maxMetaBytes {
		return nil, fmt.Errorf("%s has %d bytes, over the limit of %d", path, info.Size(), maxMetaBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if got := hashOf(data); got != sum {
		return nil, fmt.Errorf("%s: SHA-256 is %s, wanted %s: the file was changed or damaged; %s", path, got, sum, repair)
	}
	return data, nil
}

// openShard reads a shard's metadata and checks the sizes of its features.
func (s *Store) openShard(sh *Shard) error {
	meta := s.manifest.metaPath(sh.First)
	data, err := s.readHashed(meta, sh.Files[meta])
	if err != nil {
		return err
	}
	rows, err := readMeta(data, sh.Rows, s.manifest.Dataset.Classes)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(s.dir, filepath.FromSlash(meta)), err)
	}
	s.rows = append(s.rows, rows...)
	for _, f := range s.manifest.folders() {
		if err := s.checkSize(sh, f, rows); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkSize(sh *Shard, f folder, rows []Row) error {
	path := s.npyFile(f.Name, sh)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w; %s", err, repair)
	}
	h := f.header(rows)
	if info.Size() != h.size() {
		return fmt.Errorf("%s has %d bytes, wanted %d for %d rows of %v %s; %s",
			path, info.Size(), h.size(), h.rows, h.shape, h.dtype, repair)
	}
	return nil
}

// trust compares a file of features with the hash that the manifest has of it, before it is first read: files that were
// exchanged or damaged, of the right size, must not be trained on.
func (s *Store) trust(folder string, sh *Shard) error {
	slash := s.manifest.npyPath(folder, sh.First)
	once, _ := s.whole.LoadOrStore(slash, sync.OnceValue(func() error {
		path, want := s.npyFile(folder, sh), sh.Files[slash]
		f, err := regular.Open(path)
		if err != nil {
			return fmt.Errorf("%w; %s", err, repair)
		}
		defer f.Close()
		if got, err := filehash.Reader(f); err != nil || got != want {
			return errors.Join(fmt.Errorf("%s: SHA-256 is %s, wanted %s: the file was changed or damaged; %s", path, got, want, repair), err)
		}
		return nil
	}))
	return once.(func() error)()
}

func (s *Store) npyFile(folder string, sh *Shard) string {
	return filepath.Join(s.dir, filepath.FromSlash(s.manifest.npyPath(folder, sh.First)))
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Manifest is a copy of the manifest; of an unfinished store it lists the shards
// that are there.
func (s *Store) Manifest() Manifest { return *s.manifest }

// Rows says which sample each row is, in the order of Matrix over all splits.
func (s *Store) Rows() []Row { return s.rows }

// Bad says which samples were left out, in the dataset's order.
func (s *Store) Bad() []BadRow { return s.bad }

// Classes are the names of the labels.
func (s *Store) Classes() []string { return s.manifest.Dataset.Classes }

// Splits are the splits that were extracted.
func (s *Store) Splits() []string { return s.manifest.Dataset.Splits }

// HasFlip tells whether the features of mirrored images are there too.
func (s *Store) HasFlip() bool { return s.manifest.Flip }

// Taps are the names of the features that are vectors, which Matrix reads.
func (s *Store) Taps() []string { return s.manifest.tapNames(true) }
