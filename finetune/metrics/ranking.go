package metrics

import (
	"cmp"
	"slices"
)

// TopK counts the samples whose label is among the K most probable classes. Of
// equally probable ones the later count as more probable, as in scikit-learn's
// top_k_accuracy_score.
type TopK struct {
	K        int         `json:"k"`
	Correct  int         `json:"correct"`
	Accuracy float64     `json:"accuracy"`
	Interval *[2]float64 `json:"accuracy_ci95"`
}

// topKs are the numbers of classes that are looked at where there are more.
var topKs = []int{2, 3, 5}

func (a Answers) topK(k int) []TopK {
	out := []TopK{} // [] in JSON, not null
	for _, top := range topKs {
		if top >= k {
			break
		}
		t := TopK{K: top}
		for i, y := range a.Labels {
			row := a.Probs[i*k : (i+1)*k]
			before := 0
			for c, p := range row {
				if p > row[y] || p == row[y] && c > y {
					before++
				}
			}
			if before < top {
				t.Correct++
			}
		}
		t.Accuracy, t.Interval = float64(t.Correct)/float64(len(a.Labels)), wilson(t.Correct, len(a.Labels))
		out = append(out, t)
	}
	return out
}

// ranking is the rows in the order of one class's probability, the highest first:
// each row's number above two flags, in as many bytes as a probability has.
type ranking []uint32

const (
	positive  = 1 << iota // the row carries the class's label
	lastOfTie             // the next row has another probability
	flags     = iota
)

func (a Answers) ranking(class, k int) ranking {
	r := make(ranking, len(a.Labels))
	for i := range r {
		r[i] = uint32(i)
	}
	at := func(row uint32) float32 { return a.Probs[int(row)*k+class] }
	slices.SortFunc(r, func(i, j uint32) int { return cmp.Or(cmp.Compare(at(j), at(i)), cmp.Compare(i, j)) })
	for i, row := range r {
		packed := row << flags
		if a.Labels[row] == class {
			packed |= positive
		}
		if i+1 == len(r) || at(r[i+1]) != at(row) {
			packed |= lastOfTie
		}
		r[i] = packed
	}
	return r
}

// areas are those under two curves of the class against the rest, rows weighing as
// given: under the receiver's operating characteristic, which is the share of pairs
// of a row with the label and one without in which the first is more probable, ties
// counting half (Hanley and McNeil, Radiology 143, 1982); and the average precision,
// Σ(Rₙ−Rₙ₋₁)Pₙ over the probabilities as thresholds, without interpolation. They are
// NaN where rows with the label, or of the first rows without it, are missing.
func (r ranking) areas(weights []float64) (auroc, precision float64) {
	var tp, fp float64 // above the tie
	var in [2]float64  // the tie's rows without and with the label
	for _, packed := range r {
		in[packed&positive] += weights[packed>>flags]
		if packed&lastOfTie == 0 || in[0]+in[1] == 0 {
			continue
		}
		auroc += in[0] * (tp + in[1]/2)
		tp, fp = tp+in[1], fp+in[0]
		precision += in[1] * tp / (tp + fp)
		in = [2]float64{}
	}
	return auroc / (tp * fp), precision / tp
}
