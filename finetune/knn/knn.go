// Package knn classifies features by their nearest neighbours: exactly, by
// cosine similarity, against every row of an index.
//
// Similarities are matrix products of rows of length 1, computed block by block
// with package sgemm, so that beside the features only a few megabytes are
// needed. Neighbours are ordered by similarity, and equal ones by their row in
// the index, the lower first. A row of zeros has similarity 0 to all. The result
// is the same bits for any number of threads of one kind of processor.
package knn

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"graft/graph/engine/sgemm"
	"graft/internal/parallel"
	"graft/internal/plural"
)

// Index is rows to search, with their labels.
type Index struct {
	x       []float32 // [n,dim], rows of length 1
	dim     int
	labels  []int
	classes int
	threads sgemm.Threads
}

// New makes an index of x [len(labels),dim], row-major, whose labels are in
// [0,classes). It keeps x and scales its rows to length 1. A value that is not
// finite is an error that names its row. What the index does takes so many
// threads, 0 for all cores.
func New(x []float32, dim int, labels []int, classes, threads int) (*Index, error) {
	ix := &Index{x, dim, labels, classes, sgemm.Threads(threads)}
	switch {
	case dim < 1 || len(labels) == 0 || len(x) != len(labels)*dim:
		return nil, fmt.Errorf("index: %d values for %d rows of %d features", len(x), len(labels), dim)
	case len(labels) > math.MaxInt32:
		return nil, fmt.Errorf("index: %d rows, want at most %d", len(labels), math.MaxInt32)
	}
	for i, y := range labels {
		if y < 0 || y >= classes {
			return nil, fmt.Errorf("index: row %d has label %d, want 0 to %d", i, y, classes-1)
		}
	}
	if err := ix.normalize(x); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return ix, nil
}

// Len is the number of rows.
func (ix *Index) Len() int { return len(ix.labels) }

// Neighbours are the nearest rows of an index, K for each query, nearest first.
type Neighbours struct {
	K          int
	Rows       []int32   // [queries,K], rows of the index
	Similarity []float32 // [queries,K], cosines
}

// Search finds the k nearest rows of every row of q [queries,dim]. It scales the
// rows of q to length 1. progress, which may be nil, counts queries.
func (ix *Index) Search(ctx context.Context, q []float32, k int, progress func(done, total int64)) (Neighbours, error) {
	if len(q)%ix.dim != 0 {
		return Neighbours{}, fmt.Errorf("queries: %d values, want rows of %d", len(q), ix.dim)
	}
	if k < 1 || k > ix.Len() {
		return Neighbours{}, fmt.Errorf("%s of an index of %s, want 1 to %d", plural.Of(k, "neighbour"), plural.Of(ix.Len(), "row"), ix.Len())
	}
	if err := ix.normalize(q); err != nil {
		return Neighbours{}, fmt.Errorf("queries: %w", err)
	}
	return ix.search(ctx, q, k, nil, progress)
}

// LeaveOneOut finds the k nearest rows of every row of the index itself among
// the rows of other groups. groups [Len()] number the rows that belong together,
// such as an image and its mirrored twin; nil takes every row by itself.
func (ix *Index) LeaveOneOut(ctx context.Context, k int, groups []int, progress func(done, total int64)) (Neighbours, error) {
	if k < 1 || k >= ix.Len() {
		return Neighbours{}, fmt.Errorf("%d neighbours among %d other rows, want 1 to %d", k, ix.Len()-1, ix.Len()-1)
	}
	if groups == nil {
		groups = make([]int, ix.Len())
		for i := range groups {
			groups[i] = i
		}
	}
	if len(groups) != ix.Len() {
		return Neighbours{}, fmt.Errorf("%d group numbers, want %d", len(groups), ix.Len())
	}
	return ix.search(ctx, ix.x, k, groups, progress)
}

// normalize scales rows to length 1; rows of zeros stay.
func (ix *Index) normalize(x []float32) error {
	bad := make([]int, ix.threads.Count()) // each part's first row that is not finite, counted from 1
	parallel.Parts(len(x)/ix.dim, len(bad), func(part, from, to int) {
		for i := from; i < to; i++ {
			if !scaleRow(x[i*ix.dim:(i+1)*ix.dim]) && bad[part] == 0 {
				bad[part] = i + 1
			}
		}
	})
	if row := cmp.Or(bad...); row > 0 {
		return fmt.Errorf("row %d holds NaN or infinity", row-1)
	}
	return nil
}

// scaleRow scales a row to length 1, summing in float64.
func scaleRow(row []float32) bool {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return false
	}
	if sum == 0 {
		return true
	}
	scale := 1 / math.Sqrt(sum)
	for j, v := range row {
		row[j] = float32(float64(v) * scale)
	}
	return true
}
