package store

import (
	"bytes"
	"context"
	"errors"
	"os"
)

// State is how far a store has come, all parts together.
type State struct {
	Shards  int   `json:"shards"`  // of the finished store
	Missing []int `json:"missing"` // their numbers, not made yet
	Rows    int   `json:"rows"`    // of the shards that are there
	Bad     int   `json:"bad"`     // samples that these left out
}

// Complete tells whether every shard is there.
func (s State) Complete() bool { return len(s.Missing) == 0 }

// Finish fills in the manifest if every shard is there, whoever made them, and says
// how far the store is. It may be called any number of times and by any number of
// processes: all write the same bytes. look, which may be nil, tells the content of
// the image at a position in the dataset, for shards of before contents were kept.
func (w *Writer) Finish(ctx context.Context, look Look) (State, error) {
	m, err := readManifest(w.dir)
	if err != nil {
		return State{}, err
	}
	if plan, err := m.plan(); err != nil || plan != w.plan {
		return State{}, errors.Join(err, &MismatchError{w.dir, append(m.differences(w.manifest, true), Difference{"plan", plan, w.plan})})
	}
	state, whole, bad, err := w.gather(m)
	if err != nil || !state.Complete() {
		return state, err
	}
	if whole.Errors, err = w.writeErrors(bad); err != nil {
		return state, err
	}
	if whole.Groups, err = w.writeGroups(ctx, m, whole, look); err != nil {
		return state, err
	}
	data, err := whole.encode()
	if err != nil {
		return state, err
	}
	if err := w.replace(manifestName, data); err != nil {
		return state, err
	}
	return state, removeAbandoned(w.dir, workPrefix)
}

// gather reads the records of all shards: the finished manifest, as far as they
// are there, and the samples left out.
func (w *Writer) gather(m *Manifest) (State, *Manifest, []BadRow, error) {
	state := State{Shards: m.shardCount(), Missing: []int{}}
	whole := m.begun()
	var bad []BadRow
	for k := range m.shardCount() {
		r, ok := w.done[k]
		if !ok {
			var damage error
			r, ok, _, damage = recordOf(w.dir, m, w.plan, k)
			if errors.As(damage, new(*MismatchError)) {
				return state, nil, nil, damage
			}
		}
		if !ok {
			state.Missing = append(state.Missing, k)
			continue
		}
		state.Rows += r.Rows
		state.Bad += len(r.Bad)
		whole.Shards = append(whole.Shards, r.Shard)
		bad = append(bad, r.Bad...)
	}
	return state, whole, bad, nil
}

// writeErrors writes meta/errors.parquet, or sees that there is none, and returns
// its hash.
func (w *Writer) writeErrors(bad []BadRow) (string, error) {
	if len(bad) == 0 {
		if err := os.Remove(w.path(errorsPath)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		return "", nil
	}
	var b bytes.Buffer
	if err := writeBad(&b, bad); err != nil {
		return "", err
	}
	return hashOf(b.Bytes()), w.replace(errorsPath, b.Bytes())
}
