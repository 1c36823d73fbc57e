// Package audit looks through a dataset for what makes results other than they seem:
// images that are in two splits, rows that repeat each other, labels that contradict
// each other or the image, images that show nothing or cannot be read. [Run] reports;
// [Propose] says from a report what to drop or relabel, for somebody to read and edit,
// and [Apply] does that and nothing else.
//
// Which images are the same is package duplicate's matter: equal by their decoded
// pixels, near duplicates by their prints. Everything that needs no features works
// without an embedding store.
package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"graft/internal/atomicfile"
	"graft/internal/schema"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
)

// DefaultTiny is the side in pixels below which an image counts as tiny.
const DefaultTiny = 32

// Config says what is audited.
type Config struct {
	Data *dataset.Dataset // opened with SkipBad; images are decoded here
	Out  string           // folder of the findings, made where it is missing
	Tiny int              // images with a side shorter than that are tiny
	// Store holds the features of Data, and Taps which of them count, in the words of
	// package taps (none: End's choice). Without a store nothing is judged by features.
	Store    *store.Store
	Taps     []string
	Seed     uint64                                     // of the draw of folds and references
	Threads  int                                        // of what is done with features, 0 for all cores
	Progress func(label string) func(done, total int64) // may be nil
}

// reportFile is written last, so that a folder with one is a whole audit.
const reportFile = "audit.json"

// Schema is of the report as JSON.
const Schema = "graft-audit-1"

// Run audits, and writes into c.Out the report and a table, as CSV and as Parquet, of
// each finding. Beside the dataset it holds about 200 bytes for each image.
func Run(ctx context.Context, c Config) (*Report, error) {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return nil, err
	}
	// What an earlier audit said must not stand beside half of this one.
	if err := os.RemoveAll(filepath.Join(c.Out, reportFile)); err != nil {
		return nil, err
	}
	a := &auditor{Config: c}
	if a.Progress == nil {
		a.Progress = func(string) func(int64, int64) { return nil }
	}
	if a.Store != nil {
		if err := a.checkStore(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.look(ctx); err != nil {
		return nil, err
	}
	a.compare()
	r := a.newReport()
	for _, find := range []func(*Report) error{a.findImages, a.findGroups, a.findLeaks, a.findRedundant, a.findConflicts, a.findClasses} {
		if err := find(r); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if a.Store != nil {
		if err := a.findByFeatures(ctx, r); err != nil {
			return nil, err
		}
	}
	data, err := schema.Marshal(Schema, r, "  ")
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(c.Out, reportFile), data); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return r, nil
}

// auditor is an audit under way.
type auditor struct {
	Config
	contents []duplicate.Content // by sample, without names; the zero Content of what cannot be decoded
	looks    []look
	equal    []int    // by sample, the first of equal pixels
	group    []int    // by sample, the first of its group of copies
	names    []string // by sample, the user's own groups; nil without
	kin      []int    // by sample, the first of its group, the user's own ones joined too
}

// compare finds which images are the same. The user's own groups are no copies: they
// count for leaks and for what is learnt, and are kept apart.
func (a *auditor) compare() {
	if a.Data.GroupBy != "" {
		a.kin = duplicate.Groups(a.contents)
		a.names = make([]string, len(a.contents))
		for i := range a.contents {
			a.names[i], a.contents[i].Group = a.contents[i].Group, ""
		}
	}
	a.equal, a.group = equals(a.contents), duplicate.Groups(a.contents)
	if a.names == nil {
		a.kin = a.group
	}
}

// equals gives each image the number of the first of equal pixels.
func equals(images []duplicate.Content) []int {
	first, out := make(map[duplicate.Key]int, len(images)), make([]int, len(images))
	for i, c := range images {
		out[i] = i
		if !c.Known() {
			continue
		}
		if at, seen := first[c.Key]; seen {
			out[i] = at
		} else {
			first[c.Key] = i
		}
	}
	return out
}

// rowsOf are the samples of a split, in order.
func (a *auditor) rowsOf(split string) (rows []int) {
	for i := range a.Data.Samples {
		if a.Data.Samples[i].Split == split {
			rows = append(rows, i)
		}
	}
	return rows
}
