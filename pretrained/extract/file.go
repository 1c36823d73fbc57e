package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"graft/internal/filelock"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// ToFile tells whether out is one parquet file to be, and not a store's folder.
func ToFile(out string) bool {
	info, err := os.Stat(out)
	return strings.EqualFold(filepath.Ext(out), ".parquet") && (err != nil || !info.IsDir())
}

// Unfinished is the folder of the store in which the file at out is made, from which a run that was broken off goes on.
func Unfinished(out string) string { return out + ".unfinished" }

// File extracts to the parquet file c.Out, as store.Export writes it: the unit of work for an engine that runs graft on the
// parts of a large dataset. The file appears whole or not at all. What is done before that lies in the store Unfinished(c.Out):
// the same call goes on from there, and removes it at the end. A file that is there is kept where it is what the call would
// write, by what it says of itself; another is an error. Flip, Views, Part, DType and taps that are no vectors are refused.
func File(ctx context.Context, c Config, progress func(done, total int64)) (sum Summary, err error) {
	path := c.Out
	c.Out = Unfinished(path)
	if err := c.refuseForFile(); err != nil {
		return Summary{}, fmt.Errorf("extract to %s: %w", path, err)
	}
	lock, err := filelock.Acquire(path + ".lock")
	switch {
	case errors.Is(err, filelock.ErrLocked):
		return Summary{}, fmt.Errorf("extract to %s: another process is writing it: %w", path, err)
	case err == nil:
		defer func() { err = cmp.Or(err, lock.Release()) }()
	case !errors.Is(err, errors.ErrUnsupported):
		return Summary{}, err
	}
	if sum, there, err := c.thereAlready(ctx, path); err != nil {
		return Summary{}, err
	} else if there {
		return sum, os.RemoveAll(c.Out) // of a run that was broken off at its very end
	}
	if sum, err = Run(ctx, c, progress); err != nil {
		return Summary{}, err
	}
	s, err := store.Open(c.Out)
	if err != nil {
		return Summary{}, err
	}
	names := make([]string, len(sum.Taps))
	for i, t := range sum.Taps {
		names[i] = t.Name
	}
	if _, err := s.Export(ctx, path, store.ExportOptions{Taps: names}, nil); err != nil {
		return Summary{}, err
	}
	sum.Store = path
	return sum, os.RemoveAll(c.Out)
}

// refuseForFile refuses what one table of vectors has no place for.
func (c *Config) refuseForFile() error {
	if c.Data == nil || c.Backbone == nil {
		return errors.New("dataset and backbone are needed")
	}
	names, err := taps.Resolve("backbone "+c.Backbone.Name(), c.Backbone.Taps(), c.Taps, taps.First)
	if err != nil {
		return err
	}
	for _, name := range names {
		if len(c.Backbone.Shape(name)) > 1 {
			return fmt.Errorf("tap %s is no vector; want a store's folder for it, not a parquet file", name)
		}
	}
	for _, o := range storeOnly {
		if o.asked(c) {
			return fmt.Errorf("%s: %s is a store's", FileHolds, o.names[0])
		}
	}
	return nil
}

// FileHolds is why File refuses the options StoreOnly.
const FileHolds = "a parquet file has one row of float32 for an image as it is"

// storeOnly are what a file has no place for, by the options of graft extract that ask for it.
var storeOnly = []struct {
	names []string
	asked func(c *Config) bool
}{
	{[]string{"flip"}, func(c *Config) bool { return c.Flip }},
	{[]string{"views", "view-seed", "view-augment"}, func(c *Config) bool { return c.Views.Count > 0 }},
	{[]string{"shard"}, func(c *Config) bool { return !c.Part.Whole() }},
	{[]string{"extend"}, func(c *Config) bool { return c.known != nil }},
	{[]string{"dtype"}, func(c *Config) bool { return c.DType != "" }},
}

// StoreOnly names the options of graft extract that File refuses.
func StoreOnly() (names []string) {
	for _, o := range storeOnly {
		names = append(names, o.names...)
	}
	return names
}

// thereAlready looks at a file that has the name: what this run would write, or something else.
func (c *Config) thereAlready(ctx context.Context, path string) (sum Summary, there bool, err error) {
	got, rows, err := store.ReadFileInfo(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sum, false, nil
	}
	if err != nil {
		return sum, false, fmt.Errorf("%w; choose another --out, or remove it", err)
	}
	_, m, err := c.plan(ctx)
	if err != nil {
		return sum, false, err
	}
	want := m.FileInfo(m.Taps)
	sum = Summary{Store: path, Part: c.Part.String(), Rows: rows, Resumed: m.Samples, Bad: append([]store.BadRow{}, got.Bad...), Taps: got.Taps,
		Batch: got.Batch, Streams: c.streams, Provider: got.Backbone.Provider,
		State: store.State{Shards: 1, Missing: []int{}, Rows: rows, Bad: got.BadCount}}
	got.Backbone.Runtime = want.Backbone.Runtime // what is finished stays, whatever has been upgraded since
	for _, d := range []struct {
		what      string
		got, want any
	}{
		{"backbone", got.Backbone, want.Backbone}, {"dataset's fingerprint", got.Fingerprint, want.Fingerprint}, {"splits", got.Splits, want.Splits},
		{"limit", got.Limit, want.Limit}, {"taps", got.Taps, want.Taps},
	} {
		if !reflect.DeepEqual(d.got, d.want) {
			return sum, false, fmt.Errorf("%s is there already, of another %s: it has %v, this run wants %v; choose another --out, or remove it", path, d.what, d.got, d.want)
		}
	}
	return sum, true, nil
}
