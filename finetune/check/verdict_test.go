package check

import (
	"math"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	probe := func(loss, interval float64) []Judgement {
		return []Judgement{{Split: "public-test", Loss: loss, Interval: interval}}
	}
	for name, c := range map[string]struct {
		taps               []Tap
		features, accuracy string
		says               string
	}{
		"rounding": {[]Tap{{MeanCosine: 1, RelativeError: 2e-6}, {MeanCosine: 1, RelativeError: 3e-6, Probes: probe(0.001, 0.01)}}, same, unknown, "3e-06 or less"},
		"int8, enough images": {[]Tap{{Name: "cls", MeanCosine: 0.999, RelativeError: 0.04, Probes: probe(0.004, 0.01)}}, near, kept,
			"No probe loses more than 1.4 points"},
		"int8, few images": {[]Tap{{MeanCosine: 0.999, RelativeError: 0.04, Probes: probe(0.004, 0.05)}}, near, undecided, "up to 5.4 points"},
		"a loss":           {[]Tap{{Name: "cls", MeanCosine: 0.992, RelativeError: 0.1, Probes: probe(0.06, 0.02)}}, near, lost, "with cls 6.0 points of public-test (4.0 to 8.0)"},
		// One of twenty intervals of 95% misses by chance; together they are wider.
		"one of many": {append(make20(), Tap{MeanCosine: 0.999, RelativeError: 0.04, Probes: probe(0.0105, 0.01)}), near, undecided, ""},
		"another net": {[]Tap{{Name: "cls", MeanCosine: 0.04, RelativeError: 1.4}}, other, unknown, "mean cosine 0.04 in cls"},
		"no number":   {[]Tap{{MeanCosine: math.NaN(), RelativeError: math.NaN()}}, other, unknown, "NaN"},
	} {
		v := Report{Taps: c.taps}.Verdict()
		if v.Features != c.features || v.Accuracy != c.accuracy || !strings.Contains(v.Text, c.says) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func make20() (taps []Tap) {
	for range 19 {
		taps = append(taps, Tap{MeanCosine: 0.999, RelativeError: 0.04, Probes: []Judgement{{Interval: 0.01}}})
	}
	return taps
}
