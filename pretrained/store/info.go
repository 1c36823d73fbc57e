package store

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"graft/internal/columns"
	"graft/internal/plural"
)

// Info is what a store holds, for people and as JSON.
type Info struct {
	Path      string         `json:"path"`
	Complete  bool           `json:"complete"`
	Rows      int            `json:"rows"`
	Samples   int            `json:"samples"`
	Shards    int            `json:"shards"`          // that are there
	Planned   int            `json:"shards_planned"`  // of the finished store
	AtWork    int            `json:"at_work"`         // processes that add to it just now, as far as locks tell
	GoOn      string         `json:"go_on,omitempty"` // of an unfinished store: the command that does
	Bytes     int64          `json:"bytes"`           // of the features
	DType     DType          `json:"dtype"`
	Flip      bool           `json:"flip"`
	Views     *Views         `json:"views,omitempty"`
	Taps      []Tap          `json:"taps"`
	Splits    map[string]int `json:"splits"` // rows
	Backbone  Backbone       `json:"backbone"`
	Dataset   Dataset        `json:"dataset"`
	ShardRows int            `json:"shard_rows"`
	Batch     int            `json:"batch"` // images per inference, 0 where it was not recorded
	Bad       int            `json:"bad"`   // samples left out
	Reasons   map[string]int `json:"reasons"`
}

// Info sums the store up, an unfinished one as far as it has come.
func (s *Store) Info() Info {
	m := s.manifest
	in := Info{
		Path: s.dir, Complete: s.finished, Rows: m.rows(), Samples: m.Samples, Shards: len(m.Shards), Planned: m.shardCount(),
		DType: m.DType, Flip: m.Flip, Views: m.Views, Taps: m.Taps, Splits: map[string]int{},
		Backbone: m.Backbone, Dataset: m.Dataset, ShardRows: m.ShardRows, Batch: m.Batch,
		Bad: len(s.bad), Reasons: map[string]int{},
	}
	if !s.finished {
		in.AtWork, in.GoOn = atWork(s.dir), m.command(s.dir)
	}
	in.Bytes = m.Bytes(m.rows(), trainRows(s.rows))
	for _, name := range m.Dataset.Splits {
		in.Splits[name] = 0
	}
	for _, r := range s.rows {
		in.Splits[r.Split]++
	}
	for _, b := range s.bad {
		in.Reasons[b.Reason]++
	}
	return in
}

// printWay says how an unfinished store gets finished.
func (in Info) printWay(row func(name, format string, args ...any)) {
	if in.AtWork > 0 {
		row("", "%s at work on it just now", plural.Of(in.AtWork, "process"))
		return
	}
	row("", "nobody is at work on it, as far as locks tell")
}

// Print writes the summary as a table.
func (in Info) Print(out io.Writer) error {
	w := columns.New(out, 2)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("store", "%s", in.Path)
	soFar, listed := "", errorsPath
	if in.Complete {
		row("rows", "%d of %s in %s, finished", in.Rows, plural.Of(in.Samples, "sample"), plural.Of(in.Shards, "shard"))
	} else {
		soFar, listed = " so far", recordFolder
		row("rows", "%d so far in %d of %s, for %s: UNFINISHED", in.Rows, in.Shards, plural.Of(in.Planned, "shard"), plural.Of(in.Samples, "sample"))
		in.printWay(row)
	}
	for _, name := range in.Dataset.Splits {
		row("", "%s %d%s", name, in.Splits[name], soFar)
	}
	if n := len(in.Dataset.LeftOut); n > 0 {
		row("left out", "%s of the dataset, listed with reasons in manifest.json", plural.Of(n, "bad entry"))
	}
	if in.Bad > 0 {
		row("left out", "%s%s, listed in %s", plural.Of(in.Bad, "bad image"), soFar, listed)
	}
	for _, reason := range slices.SortedFunc(maps.Keys(in.Reasons), func(a, b string) int {
		return cmp.Or(in.Reasons[b]-in.Reasons[a], strings.Compare(a, b))
	}) {
		row("", "%d: %s", in.Reasons[reason], reason)
	}
	row("features", "%s, %.1f MB%s%s", in.DType, float64(in.Bytes)/1e6, soFar, map[bool]string{true: ", also of mirrored images"}[in.Flip])
	if in.Views != nil {
		row("", "views of the train split: %s", in.Views)
	}
	row("taps", "%s", strings.TrimSuffix(tapWords(in.Taps)[1:], "]"))
	row("backbone", "%s", in.Backbone.Name)
	row("", "SHA-256 %s", in.Backbone.SHA256)
	if in.Backbone.Source != "" {
		row("", "from %s", in.Backbone.Source)
	}
	row("", "%s on %s, %s %s", in.Backbone.Precision, in.Backbone.Provider, in.Backbone.engine(), in.Backbone.Runtime)
	if in.Batch > 0 {
		row("", "in batches of %d", in.Batch)
	}
	row("preprocessing", "%s", in.Backbone.Preprocessing)
	row("dataset", "%s", in.Dataset.Name)
	row("", "%s", in.Dataset.Fingerprint)
	row("classes", "%s", strings.Join(in.Dataset.Classes, ", "))
	if err := w.Flush(); err != nil || in.GoOn == "" || in.AtWork > 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "to go on:\n%s\n", in.GoOn) // in one line, to be typed again
	return err
}
