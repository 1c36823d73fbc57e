package store

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/internal/regular"
	"graft/preprocess/duplicate"
	"graft/pretrained/taps"
)

// Matrix is features, and whose they are.
type Matrix struct {
	X       []float32 // [len(Labels),Dim], row-major
	Dim     int
	Labels  []int
	IDs     []string
	Indices []int // positions in the dataset
	// Groups have equal numbers for images that are the same or nearly so, in any
	// split, or of one group of the user's; nil where the store has none.
	Groups   []int
	Contents []duplicate.Content // of the images, nil like Groups
}

// Matrix reads features: the taps side by side, in the words of package taps (none: all
// of the store), of the split's rows ("" for all) in the dataset's order; of the mirrored
// images where mirrored says so, and of several views one after the other (none: the
// images as they are). Files are streamed straight to their place on all cores, so
// memory peaks at X itself.
func (s *Store) Matrix(words []string, split string, mirrored ...bool) (Matrix, error) {
	if len(mirrored) == 0 {
		mirrored = []bool{false}
	}
	var views []*selection
	n := 0
	for _, flip := range mirrored {
		sel, err := s.choose(words, split, flip)
		if err == nil {
			err = sel.vectors(s.dir)
		}
		if err != nil {
			return Matrix{}, err
		}
		for _, p := range sel.parts {
			n += len(p.rows)
		}
		views = append(views, sel)
	}
	m := Matrix{Dim: views[0].dim}
	if n > math.MaxInt/4/m.Dim {
		return Matrix{}, fmt.Errorf("store %s: [%d,%d] does not fit into memory", s.dir, n, m.Dim)
	}
	m.X = make([]float32, n*m.Dim)
	var g parallel.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	rest := m.X
	for _, sel := range views {
		for _, p := range sel.parts {
			dst := rest[:len(p.rows)*m.Dim]
			rest = rest[len(dst):]
			for t := range sel.taps {
				g.Go(func() error { return s.readTap(sel, p, t, dst) })
			}
			for _, r := range p.rows {
				row := &s.rows[p.base+r]
				m.Labels, m.IDs, m.Indices = append(m.Labels, row.Label), append(m.IDs, row.ID), append(m.Indices, row.Index)
				if s.Grouped() {
					m.Groups, m.Contents = append(m.Groups, row.Group), append(m.Contents, row.Content)
				}
			}
		}
	}
	if err := g.Wait(); err != nil {
		return Matrix{}, fmt.Errorf("embedding store: %w", err)
	}
	return m, nil
}

// checkFinished refuses stores that lack shards.
func (s *Store) checkFinished() error {
	if s.finished {
		return nil
	}
	if _, err := readManifestFile(filepath.Join(s.dir, manifestName)); err != nil {
		return fmt.Errorf("embedding store: %w; run the same graft extract again: it is made anew from the shards' records", err)
	}
	return fmt.Errorf("store %s is unfinished: %d of %s there; run the same graft extract again to finish it (graft embeddings verify %s says more)",
		s.dir, len(s.manifest.Shards), plural.Of(s.manifest.shardCount(), "shard"), s.dir)
}

// selection is a resolved request for features.
type selection struct {
	taps    []folder
	offsets []int // first column of each
	dim     int
	parts   []part // shards with at least one row
}

// part is the selected rows of one shard.
type part struct {
	shard *Shard
	base  int   // the shard's first row among Store.rows
	rows  []int // selected rows within the shard, rising
}

// choose checks a request and finds its rows.
func (s *Store) choose(words []string, split string, flip bool) (*selection, error) {
	if err := s.checkFinished(); err != nil {
		return nil, err
	}
	if flip && !s.manifest.Flip {
		return nil, fmt.Errorf("store %s has no features of mirrored images; extract with --flip", s.dir)
	}
	if split != "" && !slices.Contains(s.Splits(), split) {
		return nil, fmt.Errorf("store %s has no split %q; it has %s", s.dir, split, strings.Join(s.Splits(), ", "))
	}
	names, err := taps.Resolve("store "+s.dir, s.manifest.known(), words, taps.All)
	if err != nil {
		return nil, err
	}
	sel := &selection{}
	for _, name := range names {
		t, _ := s.manifest.tap(name)
		f := s.manifest.folder(t, map[bool]int{true: 1}[flip])
		sel.taps, sel.offsets = append(sel.taps, f), append(sel.offsets, sel.dim)
		sel.dim += t.Dim
	}
	sel.parts = s.partsOf(split)
	return sel, nil
}

// vectors refuses taps that are no vectors.
func (sel *selection) vectors(dir string) error {
	for _, f := range sel.taps {
		if !f.vector() {
			return fmt.Errorf("store %s: tap %s is no vector; graft train backbone trains on it, and graft embeddings export writes it, by itself, to .npy", dir, f.Tap)
		}
	}
	return nil
}

func (s *Store) partsOf(split string) []part {
	var parts []part
	base := 0
	for i := range s.manifest.Shards {
		p := part{shard: &s.manifest.Shards[i], base: base}
		for r := range p.shard.Rows {
			if split == "" || s.rows[base+r].Split == split {
				p.rows = append(p.rows, r)
			}
		}
		if base += p.shard.Rows; len(p.rows) > 0 {
			parts = append(parts, p)
		}
	}
	return parts
}

// readTap copies one tap of one shard's selected rows into its columns of dst,
// which is [len(p.rows), sel.dim].
func (s *Store) readTap(sel *selection, p part, t int, dst []float32) error {
	tap := sel.taps[t]
	path := s.npyFile(tap.Name, p.shard)
	if err := s.trust(tap.Name, p.shard); err != nil {
		return err
	}
	f, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	next := 0
	h := npyHeader{tap.DType, p.shard.Rows, tap.Row()}
	err = h.readRows(f, p.rows[0], p.rows[len(p.rows)-1]+1, func(i int, row []byte) {
		if p.rows[next] != i {
			return
		}
		at := next*sel.dim + sel.offsets[t]
		h.dtype.decode(dst[at:at+tap.Dim], row)
		next++
	})
	if err != nil {
		return fmt.Errorf("%s: %w; %s", path, err, repair)
	}
	return nil
}
