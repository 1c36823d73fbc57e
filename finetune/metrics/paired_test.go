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
	Welch           []struct {
		This, Other []float64
		Contrast
	}
}

func bools(list []int) []bool {
	out := make([]bool, len(list))
	for i, v := range list {
		out[i] = v == 1
	}
	return out
}

func readPaired(t *testing.T) (f pairedFixture) {
	t.Helper()
	data, err := os.ReadFile("testdata/paired.json")
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPairedAgainstStatsmodels(t *testing.T) {
	f := readPaired(t)
	for _, c := range f.McNemar {
		if got := mcNemar(int(c[0]), int(c[1])); !(math.Abs(got-c[2]) <= 1e-9*c[2]) {
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
			checkPaired(t, c.name+", turned", i, turned(got), turned(c.want[i]))
		}
	}
}

func turned(p Paired) Paired { return Paired{p.Discordant.Turned(), p.Contrast.Turned()} }

func TestWelchAgainstScipy(t *testing.T) {
	var pairs []Samples
	for _, one := range readPaired(t).Welch {
		pairs = append(pairs, Samples{one.This, one.Other})
	}
	for i, got := range CompareSamples(pairs) {
		want := readPaired(t).Welch[i]
		for _, v := range [][2]float64{{got.Difference, want.Difference}, {got.Interval[0], want.Interval[0]}, {got.Interval[1], want.Interval[1]},
			{got.P, want.P}, {got.Corrected, want.Corrected}} {
			if !(math.Abs(v[0]-v[1]) <= 1e-9) {
				t.Errorf("samples %d: %+v, want %+v", i, got, want.Contrast)
				break
			}
		}
		if (got.Verdict == Equal) != (want.Corrected >= 0.05) {
			t.Errorf("samples %d: %q at p %g", i, got.Verdict, want.Corrected)
		}
	}
	alike := []float64{0.5, 0.5}
	got := CompareSamples([]Samples{{alike, alike}, {alike, []float64{0.25, 0.25, 0.25}}})
	if got[0] != (Contrast{P: 1, Corrected: 1, Verdict: Equal}) || got[1] != (Contrast{0.25, [2]float64{0.25, 0.25}, 0, 0, Better}) {
		t.Errorf("runs all alike: %+v", got)
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
	if want := (Paired{Discordant{Total: 3}, Contrast{P: 1, Corrected: 1, Verdict: Equal}}); got != want || turned(got) != want {
		t.Errorf("%+v and turned %+v, want %+v", got, turned(got), want)
	}
}
