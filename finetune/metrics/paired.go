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
	Discordant
	Contrast
}

// Discordant counts the rows that one model alone has right.
type Discordant struct {
	Total     int `json:"total"` // rows that count
	OnlyThis  int `json:"only_this"`
	OnlyOther int `json:"only_other"`
}

// Contrast is the difference in accuracy between this model and another, and how
// surely there is one.
type Contrast struct {
	Difference float64    `json:"accuracy_difference"` // this model's minus the other's
	Interval   [2]float64 `json:"accuracy_difference_ci95"`
	P          float64    `json:"p"`
	Corrected  float64    `json:"p_holm"`  // see holm
	Verdict    string     `json:"verdict"` // of this model: Better, Worse or Equal
}

// What a corrected p below 0.05 says of a model, and what any other says.
const (
	Better = "better"
	Worse  = "worse"
	Equal  = "cannot be told apart"
)

// ComparePairs tests pairs of one family, all that judged the same rows and are looked
// at together, whose chances of a false alarm add up: by McNemar, with the difference's
// interval by Bootstrap. groups numbers the rows that belong together, for the
// intervals; a pair must have a row that counts.
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
		out[i].P = mcNemar(out[i].OnlyThis, out[i].OnlyOther)
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
	contrasts := make([]*Contrast, len(out))
	for i := range out {
		out[i].Interval, contrasts[i] = intervals[i], &out[i].Contrast
	}
	conclude(contrasts)
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

// conclude corrects a family's p and says what they mean.
func conclude(family []*Contrast) {
	p := make([]float64, len(family))
	for i, c := range family {
		p[i] = c.P
	}
	for i, corrected := range holm(p) {
		c := family[i]
		c.Corrected = corrected
		switch {
		case !(corrected < 0.05):
			c.Verdict = Equal
		case c.Difference > 0:
			c.Verdict = Better
		default:
			c.Verdict = Worse
		}
	}
}

// Turned is the same with the models' parts exchanged.
func (d Discordant) Turned() Discordant { return Discordant{d.Total, d.OnlyOther, d.OnlyThis} }

// Turned is the same with the models' parts exchanged.
func (c Contrast) Turned() Contrast {
	c.Difference, c.Interval = 0-c.Difference, [2]float64{0 - c.Interval[1], 0 - c.Interval[0]} // never −0
	switch c.Verdict {
	case Better:
		c.Verdict = Worse
	case Worse:
		c.Verdict = Better
	}
	return c
}

// ContrastColumns head the cells of a Contrast.
var ContrastColumns = []string{"difference", "95% interval", "p", "corrected", "verdict"}

// Cells are for a table, in points of accuracy, with the models' names in the verdict.
func (c Contrast) Cells(this, other string) []string {
	verdict := c.Verdict
	switch verdict {
	case Better:
		verdict = this + " is better"
	case Worse:
		verdict = other + " is better"
	}
	return []string{fmt.Sprintf("%+.1f", 100*c.Difference), fmt.Sprintf("%+.1f to %+.1f", 100*c.Interval[0], 100*c.Interval[1]),
		fmt.Sprintf("%.2g", c.P), fmt.Sprintf("%.2g", c.Corrected), verdict}
}

// mcNemar is the two-sided p of McNemar's exact test (Psychometrika 12, 1947) of
// models of which each has so many rows right that the other has wrong: the
// chance that as uneven a split, or a more uneven one, comes of fair coins.
// It is the binomial test's, not its mid-p; without such rows it is 1.
func mcNemar(onlyThis, onlyOther int) float64 {
	n, k := onlyThis+onlyOther, min(onlyThis, onlyOther)
	if n == 2*k {
		return 1
	}
	return min(1, 2*mathext.RegIncBeta(float64(n-k), float64(k+1), 0.5)) // P(X ≤ k) of X from Binomial(n, ½)
}

// holm corrects the p of a family of tests so that the chance of a single false
// alarm among all stays below the level (Holm, Scandinavian Journal of Statistics
// 6, 1979): the smallest counts times the number of tests, the next times one
// less, and none less than a smaller one.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	out, least := make([]float64, len(p)), 0.0
	for rank, i := range order {
		least = max(least, min(1, float64(len(p)-rank)*p[i]))
		out[i] = least
	}
	return out
}
