package compare

import (
	"fmt"
	"slices"

	"graft/finetune/metrics"
	"graft/internal/plural"
)

// Test is a run, or several of one setting, beside others on the rows of a split that
// both judged.
type Test struct {
	Against   string `json:"against"` // the other's folder
	Split     string `json:"split"`
	Rows      string `json:"rows"`                 // RowsAll or RowsClean
	NotTested string `json:"not_tested,omitempty"` // why not, and then there is no more
	Runs      []int  `json:"runs,omitempty"`       // of Welch's test: how many runs, and of the other's
	*metrics.Discordant
	*metrics.Contrast
}

// Which rows of a split a test counts.
const (
	RowsAll   = "all"
	RowsClean = "clean" // clean for both runs
)

// bootstrapSeed draws the intervals' resamples: the same runs give the same figures.
const bootstrapSeed = 1

// addTests tests every pair of runs that judged the same rows, split by split.
func addTests(list []Comparison) {
	for _, split := range Splits(list) {
		var families [][]int // of runs that judged the same rows
		for i, c := range list {
			if _, ok := c.answers[split]; !ok {
				continue
			}
			at := slices.IndexFunc(families, func(f []int) bool { return list[f[0]].answers[split].unlike(c.answers[split]) == "" })
			if at < 0 {
				families, at = append(families, nil), len(families)
			}
			families[at] = append(families[at], i)
		}
		for i, f := range families {
			if len(f) > 1 {
				testFamily(list, f, split)
			}
			for _, g := range families[i+1:] {
				leaveUntested(list, f, g, split, answers.unlike)
			}
		}
	}
}

// testFamily tests the pairs of entries that judged the same rows, on all of them and on
// those that are clean for both: single runs by McNemar's test, several by Welch's.
func testFamily(list []Comparison, family []int, split string) {
	var single, several []int
	for _, i := range family {
		if list[i].answers[split].samples == nil {
			single = append(single, i)
		} else {
			several = append(several, i)
		}
	}
	testRows(list, single, split)
	testSeeds(list, several, split)
	leaveUntested(list, single, several, split, func(a, b answers) string {
		return "one run and several; name one of those"
	})
}

// pairsOf are the pairs of entries.
func pairsOf(entries []int) (out [][2]int) {
	for at, i := range entries {
		for _, j := range entries[at+1:] {
			out = append(out, [2]int{i, j})
		}
	}
	return out
}

func testRows(list []Comparison, runs []int, split string) {
	if len(runs) < 2 {
		return
	}
	groups := metrics.Alone(len(list[runs[0]].answers[split].right)) // unless a run knows better
	for _, i := range runs {
		if a := list[i].answers[split]; a.Groups != nil {
			groups = a.Groups
			break
		}
	}
	for _, rows := range []string{RowsAll, RowsClean} {
		var pairs []metrics.Pair
		var tested [][2]int
		for _, pair := range pairsOf(runs) {
			a, b := list[pair[0]].answers[split], list[pair[1]].answers[split]
			p := metrics.Pair{This: a.right, Other: b.right}
			if rows == RowsClean {
				if p.Counted = both(a.Clean, b.Clean); count(p.Counted) == 0 {
					continue // not known, or none
				}
			}
			pairs, tested = append(pairs, p), append(tested, pair)
		}
		for at, p := range metrics.ComparePairs(pairs, groups, bootstrapSeed) {
			keep(list, tested[at], Test{Split: split, Rows: rows, Discordant: &p.Discordant, Contrast: &p.Contrast})
		}
	}
}

func testSeeds(list []Comparison, several []int, split string) {
	for _, rows := range []string{RowsAll, RowsClean} {
		var pairs []metrics.Samples
		var tested [][2]int
		for _, pair := range pairsOf(several) {
			p := metrics.Samples{This: list[pair[0]].answers[split].samples[rows], Other: list[pair[1]].answers[split].samples[rows]}
			if len(p.This) > 1 && len(p.Other) > 1 {
				pairs, tested = append(pairs, p), append(tested, pair)
			}
		}
		for at, c := range metrics.CompareSamples(pairs) {
			keep(list, tested[at], Test{Split: split, Rows: rows, Runs: []int{len(pairs[at].This), len(pairs[at].Other)}, Contrast: &c})
		}
	}
}

// leaveUntested says of each pair of entries of two kinds why it is none.
func leaveUntested(list []Comparison, f, g []int, split string, why func(a, b answers) string) {
	for _, i := range f {
		for _, j := range g {
			keep(list, [2]int{i, j}, Test{Split: split, Rows: RowsAll, NotTested: why(list[i].answers[split], list[j].answers[split])})
		}
	}
}

// keep gives a pair's test to both runs.
func keep(list []Comparison, pair [2]int, t Test) {
	a, b := &list[pair[0]], &list[pair[1]]
	t.Against = b.Run
	a.Tests = append(a.Tests, t)
	t.Against = a.Run
	if t.Discordant != nil {
		t.Discordant = new(t.Discordant.Turned())
	}
	if t.Contrast != nil {
		t.Contrast = new(t.Contrast.Turned())
	}
	if t.Runs != nil {
		t.Runs = []int{t.Runs[1], t.Runs[0]}
	}
	b.Tests = append(b.Tests, t)
}

func both(a, b []bool) []bool {
	if a == nil || b == nil {
		return nil
	}
	out := make([]bool, len(a))
	for i := range a {
		out[i] = a[i] && b[i]
	}
	return out
}

// pairTable has a line for each pair and each choice of rows, and one for each reason
// not to test pairs.
func pairTable(list []Comparison, split string) Table {
	s := Table{Title: "Differences on " + split + " (points of accuracy; p of McNemar's exact test, between several runs of Welch's, corrected by Holm; better: below 0.05)",
		Head: append([]string{"", "rows"}, metrics.ContrastColumns...)}
	called := names(list)[1:]
	untested := map[string][]string{} // pairs by reason
	var reasons []string
	for i, c := range list {
		for j, other := range list[i+1:] {
			pair := called[i] + " − " + called[i+1+j]
			for _, t := range c.Tests {
				switch {
				case t.Against != other.Run || t.Split != split:
				case t.Contrast != nil:
					s.Rows, pair = append(s.Rows, append([]string{pair}, t.cells(called[i], called[i+1+j])...)), ""
				default:
					if untested[t.NotTested] == nil {
						reasons = append(reasons, t.NotTested)
					}
					untested[t.NotTested] = append(untested[t.NotTested], pair)
				}
			}
		}
	}
	for _, why := range reasons {
		pairs := untested[why][0]
		if n := len(untested[why]); n > 1 {
			pairs = fmt.Sprintf("%d pairs", n)
		}
		s.Rows = append(s.Rows, []string{pairs, "", "", "", "", "", "not tested: " + why})
	}
	return s
}

// cells are a test's after the pair's name.
func (t Test) cells(this, other string) []string {
	counted := t.Rows
	if t.Discordant != nil {
		counted += fmt.Sprintf(" %d", t.Total)
	} else {
		counted += fmt.Sprintf(", %d and %s", t.Runs[0], plural.Of(t.Runs[1], "run"))
	}
	return append([]string{counted}, t.Cells(this, other)...)
}
