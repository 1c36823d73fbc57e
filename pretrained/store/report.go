package store

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"graft/internal/columns"
	"graft/internal/plural"
	"graft/pretrained/taps"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	Missing    Kind = "missing"
	Damaged    Kind = "damaged"
	Unexpected Kind = "unexpected"
	Leftover   Kind = "leftover" // of a killed run, or being written just now
)

// Fault is something wrong with a store.
type Fault struct {
	Kind   Kind   `json:"kind"`
	File   string `json:"file"`  // slash-separated, below the store
	Shard  int    `json:"shard"` // its number, -1 for what belongs to none
	Detail string `json:"detail,omitempty"`
}

// Report is what Verify found.
type Report struct {
	Store    string   `json:"store"`
	Sound    bool     `json:"sound"`    // complete, and no faults but leftovers
	Complete bool     `json:"complete"` // the manifest lists every shard
	Shards   int      `json:"shards"`   // of the finished store
	Files    int      `json:"files"`    // checked
	Faults   []Fault  `json:"faults"`
	Fixes    []string `json:"mend"` // what to do about them
}

// conclude orders the faults and says what mends them.
func (r *Report) conclude(m *Manifest) {
	slices.SortFunc(r.Faults, func(a, b Fault) int { return cmp.Or(a.Shard-b.Shard, strings.Compare(a.File, b.File)) })
	has := map[Kind]bool{}
	for _, f := range r.Faults {
		has[f.Kind] = true
	}
	r.Sound = r.Complete && !has[Missing] && !has[Damaged] && !has[Unexpected]
	if has[Missing] || has[Damaged] {
		r.Fixes = append(r.Fixes, m.command(r.Store)+"   # with the paths of your files, and --skip-bad, --seed, --per-class, --ferplus or a foreign model's flags as before")
	}
	if has[Unexpected] {
		r.Fixes = append(r.Fixes, "remove or move away the unexpected files")
	}
	if has[Leftover] {
		r.Fixes = append(r.Fixes, "leftovers do no harm, and the next graft extract here removes them; on a file system without locks remove them when none is at work")
	}
}

// command is the graft extract that goes on with the store.
func (m *Manifest) command(dir string) string {
	words := []string{"graft", "extract", "--data", m.Dataset.Name, "--model", m.Backbone.Name, "--out", dir}
	words = append(words, "--taps", strings.Join(m.Words(), ","), "--split", strings.Join(m.Dataset.Splits, ","))
	if !slices.ContainsFunc(m.Taps, func(t Tap) bool { return t.DType != "" }) {
		words = append(words, "--dtype", string(m.DType))
	}
	words = append(words, "--shard-rows", strconv.Itoa(m.ShardRows), "--provider", m.Backbone.Provider)
	if m.Flip {
		words = append(words, "--flip")
	}
	if v := m.Views; v != nil {
		words = append(words, "--views", strconv.Itoa(v.Count), "--view-seed", strconv.FormatUint(v.Seed, 10), "--view-augment", v.Augment.String())
	}
	if m.Dataset.Limit > 0 {
		words = append(words, "--limit", strconv.Itoa(m.Dataset.Limit))
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// Words are the words that the taps were asked for by.
func (m *Manifest) Words() []string {
	var out []string
	for _, t := range m.Taps {
		if taps.Tensor(t.Tensor) == t.Name {
			t.Name = taps.TensorWord + t.Tensor
		}
		out = append(out, t.Name)
	}
	return out
}

// quote makes a word safe for a shell.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'z' && !strings.ContainsRune("[\\]^`", r) || strings.ContainsRune("/.,_-+=:@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Err is nil for a sound store.
func (r Report) Err() error {
	if r.Sound {
		return nil
	}
	n := 0
	for _, f := range r.Faults {
		if f.Kind != Leftover {
			n++
		}
	}
	return fmt.Errorf("store %s is not sound: %s", r.Store, plural.Of(n, "fault"))
}

// Print writes the report for people.
func (r Report) Print(out io.Writer) error {
	if r.Sound {
		fmt.Fprintf(out, "%s: sound: %s, %s, every one with its hash\n", r.Store, plural.Of(r.Shards, "shard"), plural.Of(r.Files, "file"))
	}
	w := columns.New(out, 2)
	for _, f := range r.Faults {
		shard := ""
		if f.Shard != noShard {
			shard = fmt.Sprintf("shard %d", f.Shard)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Kind, f.File, shard, f.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, line := range r.Fixes {
		fmt.Fprintln(out, "to mend:", line)
	}
	return nil
}
