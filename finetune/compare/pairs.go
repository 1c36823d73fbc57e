package compare

import (
	"fmt"
	"slices"

	"graft/finetune/metrics"
	"graft/finetune/run"
)

// Test is a run beside another on the rows of a split that both judged.
type Test struct {
	Against         string `json:"against"` // the other run
	Split           string `json:"split"`
	Rows            string `json:"rows"`                 // RowsAll or RowsClean
	NotTested       string `json:"not_tested,omitempty"` // why not, and then there is no more
	*metrics.Paired        // of this run beside the other
}

// Which rows of a split a test counts.
const (
	RowsAll   = "all"
	RowsClean = "clean" // clean for both runs
)

// bootstrapSeed draws the intervals' resamples: the same runs give the same figures.
const bootstrapSeed = 1

// answers are a run's predictions of a split.
type answers struct {
	*run.Predictions
	right     []bool
	classes   []string
	data      run.DatasetRecord
	notUsable string // why these cannot be compared with others
}

// readAnswers reads the predictions of the splits that a run has figures of.
func (c *Comparison) readAnswers(dir string, config run.Config) error {
	c.answers = map[string]answers{}
	for _, r := range c.Reports {
		p, err := run.ReadPredictions(dir, r.Split, config.Classes)
		if err != nil {
			return err
		}
		a := answers{Predictions: p, classes: config.Classes, data: config.Dataset}
		if p == nil {
			a.notUsable = fmt.Sprintf("%s has no predictions of it (graft eval writes them, to --predictions)", c.Run)
		} else if a.right = p.Right(); len(a.right) != r.Total || count(a.right) != r.Correct {
			a.notUsable = fmt.Sprintf("%s: its predictions have %d of %d right, its metrics %d of %d", c.Run, count(a.right), len(a.right), r.Correct, r.Total)
		}
		c.answers[r.Split] = a
	}
	return nil
}

func count(list []bool) (n int) {
	for _, v := range list {
		if v {
			n++
		}
	}
	return n
}

// unlike says why two runs did not judge the same rows, nothing if they did.
func (a answers) unlike(b answers) string {
	votes := a.data.FERPlus != "" || b.data.FERPlus != "" // which a fingerprint covers, though no row depends on them
	print, other := a.data.Fingerprint, b.data.Fingerprint
	switch {
	case a.notUsable != "":
		return a.notUsable
	case b.notUsable != "":
		return b.notUsable
	case print != other && print != "" && other != "" && !votes:
		return fmt.Sprintf("they judged other data sets, %s and %s, by their fingerprints", a.data.Name, b.data.Name)
	case !slices.Equal(a.classes, b.classes):
		return "they know other classes"
	case len(a.IDs) != len(b.IDs):
		return fmt.Sprintf("they judged other rows, %d and %d", len(a.IDs), len(b.IDs))
	}
	for i, id := range a.IDs {
		if id != b.IDs[i] || a.Indices[i] != b.Indices[i] || a.Labels[i] != b.Labels[i] {
			return fmt.Sprintf("they judged other rows: row %d is %s (%s) and %s (%s)", i+1, id, a.classes[a.Labels[i]], b.IDs[i], b.classes[b.Labels[i]])
		}
	}
	return ""
}

// addTests tests every pair of runs that judged the same rows, split by split.
func addTests(list []Comparison) {
	for _, split := range comparedSplits(list) {
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
				leaveUntested(list, f, g, split)
			}
		}
	}
}

// testFamily tests the pairs of runs that judged the same rows, first on all of them
// and then on those that are clean for both.
func testFamily(list []Comparison, family []int, split string) {
	groups := metrics.Alone(len(list[family[0]].answers[split].right)) // unless a run knows better
	for _, i := range family {
		if a := list[i].answers[split]; a.Groups != nil {
			groups = a.Groups
			break
		}
	}
	for _, rows := range []string{RowsAll, RowsClean} {
		var pairs []metrics.Pair
		var runs [][2]int
		for at, i := range family {
			for _, j := range family[at+1:] {
				a, b := list[i].answers[split], list[j].answers[split]
				p := metrics.Pair{This: a.right, Other: b.right}
				if rows == RowsClean {
					if p.Counted = both(a.Clean, b.Clean); count(p.Counted) == 0 {
						continue // not known, or none
					}
				}
				pairs, runs = append(pairs, p), append(runs, [2]int{i, j})
			}
		}
		for at, p := range metrics.ComparePairs(pairs, groups, bootstrapSeed) {
			keep(list, runs[at], Test{Split: split, Rows: rows, Paired: &p})
		}
	}
}

// leaveUntested says of each pair of two families why it is none.
func leaveUntested(list []Comparison, f, g []int, split string) {
	for _, i := range f {
		for _, j := range g {
			keep(list, [2]int{i, j}, Test{Split: split, Rows: RowsAll, NotTested: list[i].answers[split].unlike(list[j].answers[split])})
		}
	}
}

// keep gives a pair's test to both runs.
func keep(list []Comparison, pair [2]int, t Test) {
	a, b := &list[pair[0]], &list[pair[1]]
	t.Against = b.Run
	a.Tests = append(a.Tests, t)
	if t.Against = a.Run; t.Paired != nil {
		t.Paired = new(t.Turned())
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
