package metrics

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// pairedFixture is testdata/paired.json; scripts/fixtures_paired.py makes it with
// statsmodels, scipy and numpy.
type pairedFixture struct {
	Groups, Counted []int
	Right           [][]int
	McNemar         [][3]float64
	All, Some       []Paired
}

func bools(list []int) []bool {
	out := make([]bool, len(list))
	for i, v := range list {
		out[i] = v == 1
	}
	return out
}

func TestPairedAgainstStatsmodels(t *testing.T) {
	data, err := os.ReadFile("testdata/paired.json")
	var f pairedFixture
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.McNemar {
		if got := McNemar(int(c[0]), int(c[1])); !(math.Abs(got-c[2]) <= 1e-9*c[2]) {
			t.Errorf("McNemar of %g and %g: %g, want %g", c[0], c[1], got, c[2])
		}
	}
	for _, c := range []struct {
		name    string
		counted []bool
		want    []Paired
	}{{"all", nil, f.All}, {"some", bools(f.Counted), f.Some}} {
		var pairs []Pair
		for i, this := range f.Right {
			for _, other := range f.Right[i+1:] {
				pairs = append(pairs, Pair{bools(this), bools(other), c.counted})
			}
		}
		for i, got := range ComparePairs(pairs, f.Groups, 1) {
			checkPaired(t, c.name, i, got, c.want[i])
			checkPaired(t, c.name+", turned", i, got.Turned(), c.want[i].Turned())
		}
	}
}

// checkPaired allows the interval a tenth of its width: the draws are others.
func checkPaired(t *testing.T, name string, i int, got, want Paired) {
	t.Helper()
	width := want.Interval[1] - want.Interval[0]
	near := func(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }
	if got.Total != want.Total || got.OnlyThis != want.OnlyThis || got.OnlyOther != want.OnlyOther || !near(got.Difference, want.Difference, 1e-12) ||
		!near(got.P, want.P, 1e-12) || !near(got.Corrected, want.Corrected, 1e-12) ||
		!near(got.Interval[0], want.Interval[0], width/10) || !near(got.Interval[1], want.Interval[1], width/10) {
		t.Errorf("%s, pair %d: %+v, want %+v", name, i, got, want)
	}
	verdict := Equal
	if want.Corrected < 0.05 {
		verdict = map[bool]string{true: Better, false: Worse}[want.Difference > 0]
	}
	if got.Verdict != verdict {
		t.Errorf("%s, pair %d: %q, want %q", name, i, got.Verdict, verdict)
	}
}

func TestEqualAnswersCannotBeToldApart(t *testing.T) {
	right := []bool{true, false, true}
	got := ComparePairs([]Pair{{This: right, Other: right}}, Alone(3), 1)[0]
	if want := (Paired{Total: 3, P: 1, Corrected: 1, Verdict: Equal}); got != want || got.Turned() != want {
		t.Errorf("%+v and turned %+v, want %+v", got, got.Turned(), want)
	}
}
