package check

import (
	"math"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	tap := Tap{Dim: 2}
	x := []float32{3, 4, 1, 0, 0, 0, 0, 0}
	y := []float32{3, 4, 0, 1, 0, 0, 1, 1}
	if err := tap.compare(x, y, []string{"same", "across", "none", "from none"}); err != nil {
		t.Fatal(err)
	}
	want := math.Sqrt((1 + 1 + 1 + 1) / 26.)
	if tap.MeanCosine != 0.5 || tap.MinCosine != 0 || tap.Worst != "across" || !(math.Abs(tap.RelativeError-want) <= 1e-12) {
		t.Errorf("%+v, want relative error %g", tap, want)
	}
	if err := tap.compare(x[4:6], y[:2], []string{"zero"}); err == nil || !strings.Contains(err.Error(), "all zero") {
		t.Errorf("a reference of zeros: %v", err)
	}
}

// TestJudgement: the interval follows from the answers that differ alone.
func TestJudgement(t *testing.T) {
	a := []bool{true, true, true, true, false, false, false, false, true, true}
	b := []bool{true, true, false, false, true, false, false, false, true, true}
	j := judgement("test", a, b)
	if j.CorrectA != 6 || j.CorrectB != 5 || !(math.Abs(j.Loss-0.1) <= 1e-12) || !(math.Abs(j.Interval-1.96*math.Sqrt(3-0.1)/10) <= 1e-12) {
		t.Errorf("%+v", j)
	}
	if j = judgement("test", a, a); j.Loss != 0 || j.Interval != 0 {
		t.Errorf("against itself: %+v", j)
	}
}
