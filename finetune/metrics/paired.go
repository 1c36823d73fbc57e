package metrics

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Pair is which rows two models that judged the same rows have right.
type Pair struct {
	This, Other []bool
	Counted     []bool // the rows that count, nil for all
}

// Paired is what a Pair tells of the difference between the models.
type Paired struct {
	Total      int        `json:"total"`                    // rows that count
	OnlyThis   int        `json:"only_this"`                // of them, right by this model alone
	OnlyOther  int        `json:"only_other"`               // right by the other alone
	Difference float64    `json:"accuracy_difference"`      // this model's accuracy minus the other's
	Interval   [2]float64 `json:"accuracy_difference_ci95"` // by Bootstrap, which draws groups
	P          float64    `json:"p"`                        // see McNemar
	Corrected  float64    `json:"p_holm"`                   // see Holm
	Verdict    string     `json:"verdict"`                  // of this model: Better, Worse or Equal
}

// What a corrected p below 0.05 says of a model, and what any other says.
const (
	Better = "better"
	Worse  = "worse"
	Equal  = "cannot be told apart"
)

// ComparePairs tests pairs of one family: all that judged the same rows and
// are looked at together, whose chances of a false alarm add up. groups numbers
// the rows that belong together, for the intervals; a pair must have a row that
// counts.
func ComparePairs(pairs []Pair, groups []int, seed uint64) []Paired {
	out := make([]Paired, len(pairs))
	gains := make([][]gain, len(pairs))
	for i, p := range pairs {
		for row := range groups {
			if p.Counted != nil && !p.Counted[row] {
				continue
			}
			out[i].Total++
			switch {
			case p.This[row] && !p.Other[row]:
				out[i].OnlyThis++
				gains[i] = append(gains[i], gain{row, 1})
			case p.Other[row] && !p.This[row]:
				out[i].OnlyOther++
				gains[i] = append(gains[i], gain{row, -1})
			}
		}
		out[i].P = McNemar(out[i].OnlyThis, out[i].OnlyOther)
		out[i].Difference = float64(out[i].OnlyThis-out[i].OnlyOther) / float64(out[i].Total)
	}
	if len(pairs) == 0 {
		return nil
	}
	differences := make([]float64, len(pairs))
	intervals := Bootstrap(groups, Resamples, seed, func(weights []float64) []float64 {
		for i, p := range pairs {
			differences[i] = weighted(gains[i], weights) / counted(p.Counted, weights)
		}
		return differences
	})
	corrected := Holm(out)
	for i := range out {
		out[i].Interval, out[i].Corrected = intervals[i], corrected[i]
		out[i].Verdict = out[i].verdict()
	}
	return out
}

// gain is a row that one model alone has right.
type gain struct {
	row int
	by  float64 // 1 for this model, −1 for the other
}

func weighted(gains []gain, weights []float64) (sum float64) {
	for _, g := range gains {
		sum += g.by * weights[g.row]
	}
	return sum
}

func counted(rows []bool, weights []float64) (sum float64) {
	for i, w := range weights {
		if rows == nil || rows[i] {
			sum += w
		}
	}
	return sum
}

func (p Paired) verdict() string {
	switch {
	case !(p.Corrected < 0.05):
		return Equal
	case p.Difference > 0:
		return Better
	}
	return Worse
}

// Turned is the same with the models' parts exchanged.
func (p Paired) Turned() Paired {
	p.OnlyThis, p.OnlyOther = p.OnlyOther, p.OnlyThis
	p.Difference = float64(p.OnlyThis-p.OnlyOther) / float64(p.Total) // never −0
	p.Interval = [2]float64{0 - p.Interval[1], 0 - p.Interval[0]}     // nor here
	p.Verdict = p.verdict()
	return p
}

// PairedColumns head the cells of a Paired.
var PairedColumns = []string{"difference", "95% interval", "p", "corrected", ""}

// Cells are for a table, in points of accuracy, with the models' names in the verdict.
func (p Paired) Cells(this, other string) []string {
	verdict := p.Verdict
	switch verdict {
	case Better:
		verdict = this + " is better"
	case Worse:
		verdict = other + " is better"
	}
	return []string{fmt.Sprintf("%+.1f", 100*p.Difference), fmt.Sprintf("%+.1f to %+.1f", 100*p.Interval[0], 100*p.Interval[1]),
		fmt.Sprintf("%.2g", p.P), fmt.Sprintf("%.2g", p.Corrected), verdict}
}

// McNemar is the two-sided p of McNemar's exact test (Psychometrika 12, 1947) of
// models of which each has so many rows right that the other has wrong: the
// chance that as uneven a split, or a more uneven one, comes of fair coins.
// It is the binomial test's, not its mid-p; without such rows it is 1.
func McNemar(onlyThis, onlyOther int) float64 {
	n, k := onlyThis+onlyOther, min(onlyThis, onlyOther)
	if n == 2*k {
		return 1
	}
	return min(1, 2*mathext.RegIncBeta(float64(n-k), float64(k+1), 0.5)) // P(X ≤ k) of X from Binomial(n, ½)
}

// Holm corrects the P of a family of tests so that the chance of a single false
// alarm among all stays below the level (Holm, Scandinavian Journal of Statistics
// 6, 1979): the smallest counts times the number of tests, the next times one
// less, and none less than a smaller one.
func Holm(tests []Paired) []float64 {
	order := make([]int, len(tests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(tests[i].P, tests[j].P) })
	out, least := make([]float64, len(tests)), 0.0
	for rank, i := range order {
		least = max(least, min(1, float64(len(tests)-rank)*tests[i].P))
		out[i] = least
	}
	return out
}
