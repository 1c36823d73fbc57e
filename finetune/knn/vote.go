package knn

import (
	"fmt"
	"math"

	"graft/internal/parallel"
)

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
