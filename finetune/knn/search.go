package knn

import (
	"context"
	"fmt"

	"graft/internal/parallel"
)

// Sizes of a block of similarities: large enough that packing the index's rows
// for the product costs little, small enough (4 MB) to be scanned in cache.
const (
	queryBlock = 512
	indexBlock = 2048
)

// search finds the k nearest rows of each of q's. With groups q is the index,
// and rows of a query's own group are not its neighbours.
func (ix *Index) search(ctx context.Context, q []float32, k int, groups []int, progress func(done, total int64)) (Neighbours, error) {
	n := len(q) / ix.dim
	s := searcher{Neighbours{K: k, Rows: make([]int32, n*k), Similarity: make([]float32, n*k)}, make([]int, n), groups}
	similar := make([]float32, min(n, queryBlock)*min(ix.Len(), indexBlock))
	for _, rows := range blocks(n, queryBlock) {
		for _, columns := range blocks(ix.Len(), indexBlock) {
			if err := ctx.Err(); err != nil {
				return Neighbours{}, err
			}
			m, width := rows[1]-rows[0], columns[1]-columns[0]
			ix.threads.Gemm(false, true, m, width, ix.dim, 1, q[rows[0]*ix.dim:], ix.dim,
				ix.x[columns[0]*ix.dim:], ix.dim, 0, similar, width)
			parallel.Parts(m, ix.threads.Count(), func(_, from, to int) {
				for i := from; i < to; i++ {
					s.keep(rows[0]+i, similar[i*width:(i+1)*width], columns[0])
				}
			})
		}
		if progress != nil {
			progress(int64(rows[1]), int64(n))
		}
	}
	for i, found := range s.found {
		if found < k {
			return Neighbours{}, fmt.Errorf("row %d has %d neighbours outside its own group, want %d", i, found, k)
		}
	}
	return s.Neighbours, nil
}

// blocks cuts [0,n) into ranges of at most size, as even as they can be: a last
// one of a few rows would take another way through the product, and equal rows
// of the index would not be equally similar to the last bit.
func blocks(n, size int) [][2]int {
	count := (n + size - 1) / size
	out := make([][2]int, count)
	for i := range out {
		out[i] = [2]int{i * n / count, (i + 1) * n / count}
	}
	return out
}

// searcher collects the neighbours of queries.
type searcher struct {
	Neighbours
	found  []int // neighbours so far, by query
	groups []int // of the index's rows and of the queries, nil if nobody is left out
}

// keep merges a query's similarities to the index's rows from first on into its
// neighbours. Rows come in rising order, so of equal ones the lower stays before
// the higher.
func (s *searcher) keep(query int, similar []float32, first int) {
	rows := s.Rows[query*s.K : (query+1)*s.K]
	kept := s.Similarity[query*s.K : (query+1)*s.K]
	found := s.found[query]
	for j, v := range similar {
		if found == s.K && v <= kept[found-1] || s.groups != nil && s.groups[first+j] == s.groups[query] {
			continue
		}
		if found < s.K {
			found++
		}
		at := found - 1
		for ; at > 0 && kept[at-1] < v; at-- {
			rows[at], kept[at] = rows[at-1], kept[at-1]
		}
		rows[at], kept[at] = int32(first+j), v
	}
	s.found[query] = found
}
