package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/filelock"
)

// Writer adds shards to a store. One process at a time holds it.
type Writer struct {
	dir      string
	manifest *Manifest
	lock     *filelock.Lock
	damaged  []Shard
}

// OpenWriter begins a store in dir, or goes on with one that was begun with the
// same settings; want's Shards are ignored. What a killed run left half-written is
// removed, and finished shards are checked against their hashes: damaged ones
// count as not done. A store made with other settings gives a *MismatchError,
// a folder with other things in it an error, both without touching anything.
// progress, which may be nil, is told the finished shards' files as they are
// checked, done and in total.
func OpenWriter(ctx context.Context, dir string, want Manifest, progress func(done, total int64)) (*Writer, error) {
	want.Format, want.Version, want.Shards = Format, Version, []Shard{}
	if err := want.check(); err != nil {
		return nil, fmt.Errorf("embedding store %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := refuseOther(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, lock: lock, manifest: &want}
	if err := w.begin(ctx, progress); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// refuseOther keeps a writer out of folders that hold something else.
func refuseOther(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	other := ""
	for _, e := range entries {
		switch name := e.Name(); {
		case name == manifestName:
			return nil
		case name != lockName && !strings.HasPrefix(name, atomicfile.TempPrefix):
			other = name
		}
	}
	if other != "" {
		return fmt.Errorf("%s is no embedding store (no %s) and not empty (it has %s); choose another folder", dir, manifestName, other)
	}
	return nil
}

// begin reads what is there, or writes the first manifest.
func (w *Writer) begin(ctx context.Context, progress func(done, total int64)) error {
	old, err := readManifest(w.dir)
	if errors.Is(err, os.ErrNotExist) {
		// The manifest comes first: a folder with anything else in it but no
		// manifest is no store.
		if err := w.manifest.write(w.dir); err != nil {
			return err
		}
		return w.makeFolders()
	}
	if err != nil {
		return err
	}
	if diff := old.differences(w.manifest); len(diff) > 0 {
		return &MismatchError{w.dir, diff}
	}
	w.manifest = old
	if err := w.makeFolders(); err != nil {
		return err
	}
	if err := w.clean(); err != nil {
		return err
	}
	return w.dropDamaged(ctx, progress)
}

func (w *Writer) makeFolders() error {
	for _, sub := range w.subfolders() {
		if err := os.MkdirAll(filepath.Join(w.dir, sub), 0o755); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(w.dir)
}

func (w *Writer) subfolders() []string {
	subs := []string{metaFolder}
	for _, t := range w.manifest.folders() {
		subs = append(subs, t.Name)
	}
	return subs
}

// clean removes what a killed run was writing.
func (w *Writer) clean() error {
	for _, sub := range append(w.subfolders(), ".") {
		entries, err := os.ReadDir(filepath.Join(w.dir, sub))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), atomicfile.TempPrefix) {
				continue
			}
			if err := os.Remove(filepath.Join(w.dir, sub, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropDamaged takes shards whose files are not what the manifest says off the
// list of finished ones.
func (w *Writer) dropDamaged(ctx context.Context, progress func(done, total int64)) error {
	faults, err := verifyShards(ctx, w.dir, w.manifest, progress)
	if err != nil {
		return err
	}
	w.manifest.Shards = slices.DeleteFunc(w.manifest.Shards, func(s Shard) bool {
		_, bad := faults[s.First]
		if bad {
			w.damaged = append(w.damaged, s)
		}
		return bad
	})
	return nil
}

// Finished returns the shards that need not be made again.
func (w *Writer) Finished() []Shard { return slices.Clone(w.manifest.Shards) }

// Damaged returns the shards that were finished once but failed their check, and
// so have to be made again.
func (w *Writer) Damaged() []Shard { return w.damaged }

// Missing lists the first sample and the number of samples of each shard still to
// be made.
func (w *Writer) Missing() [][2]int {
	var out [][2]int
	m := w.manifest
	for first := 0; first < m.Samples; first += m.ShardRows {
		if !slices.ContainsFunc(m.Shards, func(s Shard) bool { return s.First == first }) {
			out = append(out, [2]int{first, min(m.ShardRows, m.Samples-first)})
		}
	}
	return out
}

// Manifest is a copy of the store's manifest as it stands.
func (w *Writer) Manifest() Manifest {
	m := *w.manifest
	m.Shards = slices.Clone(m.Shards)
	return m
}

// add puts a finished shard into the manifest.
func (w *Writer) add(s Shard) error {
	m := w.manifest
	if err := m.checkShard(&s); err != nil {
		return fmt.Errorf("%s: shard at %d: %w", w.dir, s.First, err)
	}
	at, found := slices.BinarySearchFunc(m.Shards, s.First, func(a Shard, first int) int { return a.First - first })
	if found {
		return fmt.Errorf("%s: shard at %d is already there", w.dir, s.First)
	}
	m.Shards = slices.Insert(m.Shards, at, s)
	return m.write(w.dir)
}

// Close lets go of the store.
func (w *Writer) Close() error { return w.lock.Release() }
