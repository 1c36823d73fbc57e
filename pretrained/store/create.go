package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/internal/atomicfile"
)

// openOrCreate finds the store in dir, or makes it. Of several processes that begin one
// store at once the first one's manifest counts, and the others compare theirs.
func (w *Writer) openOrCreate(want *Manifest, keepBatch bool) error {
	m, err := Begun(w.dir)
	if (err != nil || m == nil) && !errors.Is(err, errVersion) && recordsOf(w.dir, want) {
		m, err = want, nil // a store of before plans were kept, whose manifest is gone
	}
	if err != nil {
		return err
	}
	if m == nil {
		if m, err = w.create(want); err != nil {
			return err
		}
	}
	if diff := m.differences(want, keepBatch); len(diff) > 0 {
		return &MismatchError{w.dir, diff}
	}
	w.manifest = m
	if w.plan, err = m.plan(); err != nil {
		return err
	}
	if w.work == nil {
		if w.work, err = newWorkFolder(w.dir, w.part); err != nil {
			return err
		}
	}
	if err := w.makeFolders(); err != nil {
		return err
	}
	if err := w.keepPlan(); err != nil {
		return err
	}
	return removeAbandoned(w.dir, w.part.prefix())
}

// keepPlan writes what the store was begun with beside its records, and where the manifest is gone or damaged that as well.
func (w *Writer) keepPlan() error {
	data, err := w.manifest.begun().encode()
	if err != nil {
		return err
	}
	if err := w.replace(planPath, data); err != nil {
		return err
	}
	if _, err := readManifestFile(w.path(manifestName)); err == nil {
		return nil
	}
	return w.replace(manifestName, data)
}

// recordsOf tells whether shards in dir are recorded under what want begins a store with.
func recordsOf(dir string, want *Manifest) bool {
	plan, err := want.plan()
	if err != nil {
		return false
	}
	for k := range want.shardCount() {
		if _, err := readRecord(dir, want, plan, k); !errors.Is(err, os.ErrNotExist) {
			return err == nil
		}
	}
	return false
}

// create writes the first manifest, unless another process does so first, and
// returns the one that counts. The manifest comes before anything else: a folder
// with other things in it but no manifest is no store.
func (w *Writer) create(want *Manifest) (*Manifest, error) {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	if err := refuseOther(w.dir); err != nil {
		return nil, err
	}
	var err error
	if w.work, err = newWorkFolder(w.dir, w.part); err != nil {
		return nil, err
	}
	data, err := want.encode()
	if err != nil {
		return nil, err
	}
	if err := w.write(manifestName, data, (*atomicfile.File).CommitNew); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return readManifest(w.dir)
}

// refuseOther keeps a writer out of folders that hold something else.
func refuseOther(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), atomicfile.TempPrefix) {
			continue
		}
		// Another process may have begun the store while the folder was read.
		if m, err := Begun(dir); err != nil || m != nil {
			return err
		}
		return fmt.Errorf("%s is no embedding store (no %s) and not empty (it has %s); choose another folder", dir, manifestName, e.Name())
	}
	return nil
}

func (w *Writer) makeFolders() error {
	subs := []string{metaFolder, recordFolder}
	for _, t := range w.manifest.folders() {
		subs = append(subs, t.Name)
	}
	for _, sub := range subs {
		if err := os.MkdirAll(filepath.Join(w.dir, sub), 0o755); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(w.dir)
}
