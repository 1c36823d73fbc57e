package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/internal/regular"
	"graft/internal/schema"
)

// Shard is one range of the selected samples, finished.
type Shard struct {
	First int `json:"first"` // position among the selected samples
	Count int `json:"count"` // samples in the range
	Rows  int `json:"rows"`  // rows written: Count less those left out
	// Files maps each file of the shard, by slash-separated path below the
	// store, to its SHA-256.
	Files map[string]string `json:"files"`
}

// Record is what shards/00000.json holds. It is written after the shard's files
// and by one rename, so a shard with a record is whole, and processes that make
// different shards never write the same file.
type Record struct {
	// Plan is the hash of the manifest as it was settled when the store was
	// begun: a record under another plan is none of this store.
	Plan string `json:"plan"`
	Shard
	Bad []BadRow `json:"bad,omitempty"` // samples left out, in the dataset's order
}

// maxRecord caps a record's size: the largest shard, all of it bad, needs as much.
const maxRecord = 1 << 30

// plan is the hash of the manifest as begun.
func (m *Manifest) plan() (string, error) {
	data, err := m.begun().encode()
	if err != nil {
		return "", err
	}
	return hashOf(data), nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// recordPath is slash-separated, below the store.
func (m *Manifest) recordPath(shard int) string {
	return fmt.Sprintf("%s/%05d.json", recordFolder, shard)
}

// readRecord reads a shard's record. Where there is none the error wraps
// os.ErrNotExist; one of another plan is a *MismatchError.
func readRecord(dir string, m *Manifest, plan string, shard int) (Record, error) {
	path := filepath.Join(dir, filepath.FromSlash(m.recordPath(shard)))
	f, err := regular.Open(path)
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return Record{}, err
	}
	r, err := parseRecord(data, m, shard)
	if err == nil && r.Plan != plan {
		err = &MismatchError{dir, []Difference{{m.recordPath(shard), "plan " + r.Plan, plan}}}
	}
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// parseRecord decodes a record and checks that it fits the manifest.
func parseRecord(data []byte, m *Manifest, shard int) (Record, error) {
	if len(data) > maxRecord {
		return Record{}, fmt.Errorf("larger than the %d bytes that a record may have", maxRecord)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("malformed record: %w", err)
	}
	return r, m.checkRecord(&r, shard)
}

func (m *Manifest) checkRecord(r *Record, shard int) error {
	if r.First != shard*m.ShardRows {
		return fmt.Errorf("is of the shard at sample %d, wanted %d", r.First, shard*m.ShardRows)
	}
	if err := m.checkShard(&r.Shard); err != nil {
		return err
	}
	if r.Rows+len(r.Bad) != r.Count {
		return fmt.Errorf("%s and %d bad do not make %s", plural.Of(r.Rows, "row"), len(r.Bad), plural.Of(r.Count, "sample"))
	}
	return nil
}

// encode gives equal records equal bytes.
func (r *Record) encode() ([]byte, error) {
	return schema.Marshal("graft-shard-1", r, " ")
}

// recordOf is a shard's record, or, where that is missing or damaged, what a
// finished manifest says of the shard if nothing was left out of it: then
// mended is true, and the record ought to be written again. Without either ok is
// false. damage is what is wrong with a record that is there.
func recordOf(dir string, m *Manifest, plan string, shard int) (r Record, ok, mended bool, damage error) {
	r, err := readRecord(dir, m, plan, shard)
	if err == nil {
		return r, true, false, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		damage = err
	}
	if s := m.listed(shard); s != nil && s.Rows == s.Count {
		return Record{Plan: plan, Shard: *s}, true, true, damage
	}
	return Record{}, false, false, damage
}

// replace writes data to slash, a path below the store, by way of the writer's own
// folder; a file that holds it already is left alone.
func (w *Writer) replace(slash string, data []byte) error {
	if old, err := os.ReadFile(w.path(slash)); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return w.write(slash, data, (*atomicfile.File).Commit)
}

func (w *Writer) write(slash string, data []byte, commit func(*atomicfile.File) error) error {
	f, err := atomicfile.CreateIn(w.work.dir, w.path(slash))
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return commit(f)
}
