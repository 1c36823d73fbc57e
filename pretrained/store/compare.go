package store

import (
	"fmt"
	"slices"
	"strings"
)

// Difference is one setting in which a store and a new run disagree.
type Difference struct {
	Field      string
	Had, Wants string
}

// MismatchError refuses to go on with a store that was made with other settings.
type MismatchError struct {
	Dir         string
	Differences []Difference
}

func (e *MismatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s holds embeddings made with other settings:", e.Dir)
	for _, d := range e.Differences {
		fmt.Fprintf(&b, "\n  %s: the store has %s, this run wants %s", d.Field, d.Had, d.Wants)
	}
	b.WriteString("\nuse the same settings, another folder, or remove the store first")
	if e.Extendable() {
		b.WriteString("; --extend adds taps, and images of a dataset that has grown")
	}
	return b.String()
}

// Extendable tells whether a store differs in nothing but what may be added to it: taps, and images of its dataset. Whether
// all of its own images are among them the differences do not tell.
func (e *MismatchError) Extendable() bool {
	return !slices.ContainsFunc(e.Differences, func(d Difference) bool {
		return !slices.Contains([]string{"dataset", "classes", "splits", "groups by", "limit", "taps", "samples"}, d.Field)
	})
}

// differences lists the settings in which m and want differ, in the manifest's
// order; the batch counts only if it has to be kept.
func (m *Manifest) differences(want *Manifest, keepBatch bool) []Difference {
	var out []Difference
	add := func(field string, had, wants any) {
		if had != wants {
			out = append(out, Difference{field, fmt.Sprint(had), fmt.Sprint(wants)})
		}
	}
	// A file that was renamed is still the same file.
	addNamed := func(field, had, hadHash, wants, wantsHash string) {
		if hadHash != wantsHash {
			add(field, had+" ("+hadHash+")", wants+" ("+wantsHash+")")
		}
	}
	addNamed("backbone", m.Backbone.Name, m.Backbone.SHA256, want.Backbone.Name, want.Backbone.SHA256)
	add("preprocessing", m.Backbone.Preprocessing, want.Backbone.Preprocessing)
	add("precision", m.Backbone.Precision, want.Backbone.Precision)
	add("provider", m.Backbone.Provider, want.Backbone.Provider)
	if m.Backbone.Provider == want.Backbone.Provider { // versions of the same engine
		add(m.Backbone.engine(), m.Backbone.Runtime, want.Backbone.Runtime)
	}
	addNamed("dataset", m.Dataset.Name, m.Dataset.Fingerprint, want.Dataset.Name, want.Dataset.Fingerprint)
	add("classes", words(m.Dataset.Classes), words(want.Dataset.Classes))
	add("splits", words(m.Dataset.Splits), words(want.Dataset.Splits))
	add("groups by", m.Dataset.GroupBy, want.Dataset.GroupBy)
	add("limit", m.Dataset.Limit, want.Dataset.Limit)
	add("taps", tapWords(m.Taps), tapWords(want.Taps))
	add("flip", m.Flip, want.Flip)
	add("views", m.Views.String(), want.Views.String())
	add("dtype", m.DType, want.DType)
	if keepBatch && m.Batch != 0 {
		add("batch", m.Batch, want.Batch)
	}
	add("shard rows", m.ShardRows, want.ShardRows)
	add("samples", m.Samples, want.Samples)
	return out
}

func words(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

func tapWords(taps []Tap) string {
	var out []string
	for _, t := range taps {
		out = append(out, t.String())
	}
	return words(out)
}
