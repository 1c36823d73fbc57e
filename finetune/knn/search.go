package knn

import (
	"context"
	"fmt"
	"math"

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

// Vote says how the labels of neighbours are counted.
type Vote string

const (
	// Weighted counts a neighbour of cosine s as exp(s/Temperature), as in Wu et
	// al., "Unsupervised Feature Learning via Non-Parametric Instance
	// Discrimination" (CVPR 2018), and in the evaluations of DINO and DINOv2.
	Weighted Vote = "weighted"
	// Equal counts every neighbour as one, as scikit-learn's
	// KNeighborsClassifier does unless told otherwise.
	Equal Vote = "equal"
)

// Temperature is that of Weighted, 0.07 in all the works named there.
const Temperature = 0.07

// ParseVote turns a word into a Vote.
func ParseVote(word string) (Vote, error) {
	switch v := Vote(word); v {
	case Weighted, Equal:
		return v, nil
	}
	return "", fmt.Errorf("unknown vote %q, want %s or %s", word, Weighted, Equal)
}

// Shares is each class's share of the votes of each query's neighbours,
// [queries,classes], every row summing to 1: the predicted class has the
// largest, and of equal ones it is the first.
func (ix *Index) Shares(nb Neighbours, vote Vote) []float32 {
	queries := len(nb.Rows) / nb.K
	out := make([]float32, queries*ix.classes)
	parallel.Parts(queries, ix.threads.Count(), func(_, from, to int) {
		votes := make([]float64, ix.classes)
		for q := from; q < to; q++ {
			ix.count(votes, nb.Rows[q*nb.K:(q+1)*nb.K], nb.Similarity[q*nb.K:(q+1)*nb.K], vote)
			for c, v := range votes {
				out[q*ix.classes+c] = float32(v)
			}
		}
	})
	return out
}

// count sets votes to the shares among one query's neighbours. Weights are taken
// relative to the nearest's, which keeps exp from overflowing.
func (ix *Index) count(votes []float64, rows []int32, similar []float32, vote Vote) {
	clear(votes)
	var total float64
	for i, r := range rows {
		w := 1.0
		if vote == Weighted {
			w = math.Exp(float64(similar[i]-similar[0]) / Temperature)
		}
		votes[ix.labels[r]] += w
		total += w
	}
	for c := range votes {
		votes[c] /= total
	}
}
