package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/internal/plural"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// printExtract says what a run did, and how far the store is.
func printExtract(out io.Writer, s extract.Summary, p store.Part) {
	fmt.Fprintf(out, "%s: %s of %s on %s", s.Store, plural.Of(s.Rows, "row"), plural.Of(len(s.Taps), "tap"), s.Provider)
	if s.ImagesPerSecond > 0 {
		fmt.Fprintf(out, ", %.1f images/s in %.1f s", s.ImagesPerSecond, s.Seconds)
	}
	fmt.Fprintln(out)
	if len(s.BatchRates) > 0 {
		fmt.Fprintf(out, "%s per inference and %s at once, measured (images × inferences):", plural.Of(s.Batch, "image"), plural.Of(s.Streams, "inference"))
		for _, r := range s.BatchRates {
			fmt.Fprintf(out, " %d×%d at %.3g/s", r.Batch, r.Streams, r.ImagesPerSecond)
		}
		fmt.Fprintln(out)
	}
	if s.Resumed > 0 {
		fmt.Fprintf(out, "from an earlier run: %s\n", plural.Of(s.Resumed, "sample"))
	}
	if s.Reused > 0 {
		fmt.Fprintf(out, "%s known from the store before: computed was what it lacked\n", plural.Of(s.Reused, "image"))
	}
	if s.Redone > 0 {
		fmt.Fprintf(out, "of damaged shards, made again: %s\n", plural.Of(s.Redone, "sample"))
	}
	if len(s.Bad) > 0 {
		fmt.Fprintf(out, "%s left out; first: %s: %s\n", plural.Of(len(s.Bad), "bad image"), s.Bad[0].ID, s.Bad[0].Reason)
	}
	if !p.Whole() {
		printState(out, s.State, p)
	}
}

// maxNamed is how many shards are named one by one.
const maxNamed = 12

// printState says what a store that several processes make still lacks.
func printState(out io.Writer, s store.State, p store.Part) {
	if s.Complete() {
		fmt.Fprintf(out, "part %s is done, and with it the store: %s in %s\n", p, plural.Of(s.Rows, "row"), plural.Of(s.Shards, "shard"))
		return
	}
	var shards, parts []string
	lacking := make([]bool, p.N)
	for _, k := range s.Missing {
		shards, lacking[p.Of(k).I] = append(shards, fmt.Sprint(k)), true
	}
	for i, lacks := range lacking {
		if lacks {
			parts = append(parts, store.Part{I: i, N: p.N}.String())
		}
	}
	fmt.Fprintf(out, "part %s is done; the store still lacks %d of %s (%s), of the parts %s\n",
		p, len(shards), plural.Of(s.Shards, "shard"), some(shards), some(parts))
	if s.Shards < p.N {
		fmt.Fprintf(out, "the store has %s: parts from %d/%d on have nothing to make; smaller --shard-rows would give them some\n", plural.Of(s.Shards, "shard"), s.Shards, p.N)
	}
}

// some joins the first of many words.
func some(words []string) string {
	if len(words) > maxNamed {
		words = append(slices.Clone(words[:maxNamed]), "…")
	}
	return strings.Join(words, ", ")
}
