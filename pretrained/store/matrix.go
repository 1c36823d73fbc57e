package store

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Matrix returns features: x is [n, dim] row-major, the taps side by side in the
// order given (none: all of the store), of the split's rows ("" for all) in the
// dataset's order; flip takes those of the mirrored images. Files are streamed
// straight to their place on all cores, so memory peaks at x itself.
func (s *Store) Matrix(taps []string, split string, flip bool) (x []float32, dim int, labels []int, ids []string, err error) {
	return s.AppendMatrix(nil, taps, split, flip)
}

// AppendMatrix is Matrix with x after the values of to, in the memory of to if
// its capacity suffices: so several matrices are read into one.
func (s *Store) AppendMatrix(to []float32, taps []string, split string, flip bool) (x []float32, dim int, labels []int, ids []string, err error) {
	sel, err := s.choose(taps, split, flip)
	if err != nil {
		return nil, 0, nil, nil, err
	}
	n := 0
	for _, p := range sel.parts {
		n += len(p.rows)
	}
	if n > (math.MaxInt/4-len(to))/sel.dim {
		return nil, 0, nil, nil, fmt.Errorf("store %s: [%d,%d] does not fit into memory", s.dir, n, sel.dim)
	}
	if size := len(to) + n*sel.dim; size <= cap(to) {
		x = to[:size]
	} else {
		x = append(make([]float32, 0, size), to...)[:size]
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	at := len(to)
	for _, p := range sel.parts {
		dst := x[at : at+len(p.rows)*sel.dim]
		at += len(dst)
		for t := range sel.taps {
			g.Go(func() error { return s.readTap(sel, p, t, dst) })
		}
		for _, r := range p.rows {
			labels, ids = append(labels, s.rows[p.base+r].Label), append(ids, s.rows[p.base+r].ID)
		}
	}
	if err := g.Wait(); err != nil {
		return nil, 0, nil, nil, fmt.Errorf("embedding store: %w", err)
	}
	return x, sel.dim, labels, ids, nil
}

// selection is a resolved request for features.
type selection struct {
	taps    []Tap // folder and width of each
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
func (s *Store) choose(taps []string, split string, flip bool) (*selection, error) {
	if !s.finished {
		return nil, fmt.Errorf("store %s is unfinished: %d of %d shards are there; run the same graft extract again to finish it (graft embeddings verify %s says more)",
			s.dir, len(s.manifest.Shards), s.manifest.shardCount(), s.dir)
	}
	if flip && !s.manifest.Flip {
		return nil, fmt.Errorf("store %s has no features of mirrored images; extract with --flip", s.dir)
	}
	if split != "" && !slices.Contains(s.Splits(), split) {
		return nil, fmt.Errorf("store %s has no split %q; it has %s", s.dir, split, strings.Join(s.Splits(), ", "))
	}
	found, err := s.ResolveTaps(taps)
	if err != nil {
		return nil, err
	}
	sel := &selection{}
	for _, t := range found {
		if flip {
			t.Name += flipSuffix
		}
		sel.taps, sel.offsets = append(sel.taps, t), append(sel.offsets, sel.dim)
		sel.dim += t.Dim
	}
	sel.parts = s.partsOf(split)
	return sel, nil
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
	f, h, err := openNPY(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if h.Rows != p.shard.Rows || h.Dim != tap.Dim || h.DType != s.manifest.DType {
		return fmt.Errorf("%s holds [%d,%d] %s, the manifest says [%d,%d] %s", path, h.Rows, h.Dim, h.DType, p.shard.Rows, tap.Dim, s.manifest.DType)
	}
	next := 0
	err = readRows(f, h, p.rows[0], p.rows[len(p.rows)-1]+1, func(i int, row []byte) {
		if p.rows[next] != i {
			return
		}
		at := next*sel.dim + sel.offsets[t]
		h.DType.decode(dst[at:at+tap.Dim], row, h.order())
		next++
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
