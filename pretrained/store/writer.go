package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Writer adds the shards of one part to a store. Any number of processes may write
// to a store at once, on any number of machines that share its folder: each makes
// its own files in a folder of its own, every file gets its name by one rename, and
// no file is written by two unless both write the same bytes.
type Writer struct {
	dir      string
	part     Part
	manifest *Manifest
	plan     string
	work     *workFolder
	done     map[int]Record // finished shards of the part, by number
	damaged  []int          // those that failed their check
}

// WriterOptions say which part of a store a Writer makes, and how.
type WriterOptions struct {
	Part Part
	// KeepBatch refuses a store that was begun with another Manifest.Batch.
	// Otherwise the store's own counts; see Writer.Manifest.
	KeepBatch bool
}

// OpenWriter begins a store in dir, or goes on with one that was begun with the
// same settings; want's Shards are ignored. What a killed run of the same part left
// half-written is removed, and the part's finished shards are checked against
// their hashes: damaged ones count as not done. A store made with other settings
// gives a *MismatchError, a folder with other things in it an error, both without
// touching anything. progress, which may be nil, is told the finished shards' files
// as they are checked, done and in total.
func OpenWriter(ctx context.Context, dir string, want Manifest, o WriterOptions, progress func(done, total int64)) (*Writer, error) {
	want.Format, want.Version = Format, Version
	want = *want.begun()
	if err := want.check(); err != nil {
		return nil, fmt.Errorf("embedding store %s: %w", dir, err)
	}
	w := &Writer{dir: dir, part: o.Part, done: map[int]Record{}}
	err := w.openOrCreate(&want, o.KeepBatch)
	if err == nil {
		err = w.checkFinished(ctx, progress)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Writer) path(slash string) string { return filepath.Join(w.dir, filepath.FromSlash(slash)) }

// checkFinished finds the part's finished shards and checks their files.
func (w *Writer) checkFinished(ctx context.Context, progress func(done, total int64)) error {
	var mend []int // shards whose record has to be written again
	for _, k := range w.shards() {
		r, ok, mended, damage := recordOf(w.dir, w.manifest, w.plan, k)
		if errors.As(damage, new(*MismatchError)) {
			return damage
		}
		if ok {
			w.done[k] = r
		} else if damage != nil {
			w.damaged = append(w.damaged, k)
		}
		if mended {
			mend = append(mend, k)
		}
	}
	var list []check
	for k, r := range w.done {
		list = append(list, checksOf(k, &r.Shard)...)
	}
	faults, err := checkFiles(ctx, w.dir, list, progress)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if _, there := w.done[f.Shard]; there {
			delete(w.done, f.Shard)
			w.damaged = append(w.damaged, f.Shard)
		}
	}
	slices.Sort(w.damaged)
	for _, k := range mend {
		if r, ok := w.done[k]; ok {
			if err := w.record(&r, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// shards are the numbers of the part's shards.
func (w *Writer) shards() []int {
	var out []int
	for k := range w.manifest.shardCount() {
		if w.part.has(k) {
			out = append(out, k)
		}
	}
	return out
}

// Finished returns the part's shards that need not be made, or not again, in order.
func (w *Writer) Finished() []Record {
	var out []Record
	for _, k := range slices.Sorted(maps.Keys(w.done)) {
		out = append(out, w.done[k])
	}
	return out
}

// Damaged counts the samples of the part's shards that were finished once but
// failed their check, and so had to be made again.
func (w *Writer) Damaged() int {
	n := 0
	for _, k := range w.damaged {
		_, count := w.manifest.span(k)
		n += count
	}
	return n
}

// Missing lists the first sample and the number of samples of each of the part's
// shards still to be made.
func (w *Writer) Missing() [][2]int {
	var out [][2]int
	for _, k := range w.shards() {
		if _, ok := w.done[k]; !ok {
			first, count := w.manifest.span(k)
			out = append(out, [2]int{first, count})
		}
	}
	return out
}

// Manifest is a copy of the store's manifest as it was begun.
func (w *Writer) Manifest() Manifest { return *w.manifest.begun() }

// add writes a finished shard's record.
func (w *Writer) add(r Record) error {
	k := r.First / w.manifest.ShardRows
	if err := w.manifest.checkRecord(&r, k); err != nil {
		return fmt.Errorf("%s: shard %d: %w", w.dir, k, err)
	}
	if _, found := w.done[k]; found || !w.part.has(k) {
		return fmt.Errorf("%s: shard %d is already there, or not of part %s", w.dir, k, w.part)
	}
	if err := w.record(&r, k); err != nil {
		return err
	}
	w.done[k] = r
	return nil
}

func (w *Writer) record(r *Record, shard int) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	return w.replace(w.manifest.recordPath(shard), data)
}

// Close lets go of the store and removes what was not committed.
func (w *Writer) Close() error { return w.work.close() }
