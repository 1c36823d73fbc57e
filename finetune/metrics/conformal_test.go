package metrics

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The sets are numpy's; see scripts/fixtures_calibration.py.
func TestSetsAgreeWithNumpy(t *testing.T) {
	data, err := os.ReadFile("testdata/conformal.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Classes           int
		Level             float64
		Calibration       []float32
		CalibrationLabels []int `json:"calibration_labels"`
		Probs             []float32
		Labels            []int
		Limit             *float64
		Covered           int
		MeanSize          float64 `json:"mean_size"`
		Sizes             []int
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for i, f := range cases {
		s, err := NewSets(Answers{Probs: f.Calibration, Labels: f.CalibrationLabels}, f.Classes, f.Level)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "limit", s.Limit, f.Limit)
		c, err := s.Judge(Answers{Probs: f.Probs, Labels: f.Labels}, f.Classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "mean size", c.MeanSize, &f.MeanSize)
		if c.Covered != f.Covered || c.Total != len(f.Labels) || !reflect.DeepEqual(c.Sizes, f.Sizes) {
			t.Errorf("case %d: %d of %d covered, sizes %v; want %d of %d, %v", i, c.Covered, c.Total, c.Sizes, f.Covered, len(f.Labels), f.Sizes)
		}
		if got := s.Limit == nil; got != (c.Sizes[f.Classes] == c.Total) {
			t.Errorf("case %d: no limit: %v, yet %d of %d sets hold all classes", i, got, c.Sizes[f.Classes], c.Total)
		}
	}
}

func TestSetsOfCleanRows(t *testing.T) {
	limit := 0.5
	s := Sets{Level: 0.9, Limit: &limit}
	a := Answers{Probs: []float32{0.9, 0.1, 0.5, 0.5, 0.2, 0.8}, Labels: []int{0, 1, 0}}
	c, err := s.Judge(a, 2, []bool{false, false, true})
	if err != nil || c.Total != 3 || c.Covered != 2 || c.Clean.Total != 2 || c.Clean.Covered != 2 || *c.Clean.MeanSize != 1.5 || !reflect.DeepEqual(c.Clean.Sizes, []int{0, 1, 1}) {
		t.Errorf("got %+v (%v), want 2 of 3 covered, and of the clean rows 2 of 2 by 1.5 classes", c, err)
	}
	c, err = s.Judge(a, 2, []bool{true, true, true})
	if err != nil || c.Clean.Total != 0 || c.Clean.Share != nil || c.Clean.MeanSize != nil {
		t.Errorf("of no rows: %+v (%v), want nothing", c.Clean, err)
	}
	if c, err := s.Judge(a, 2, nil); err != nil || c.Clean != nil {
		t.Errorf("where it is not known: %+v (%v)", c, err)
	}
}

func TestSetsRefuse(t *testing.T) {
	a := Answers{Probs: []float32{1, 0}, Labels: []int{0}}
	for _, level := range []float64{0, 1, -1, 90, math.NaN()} {
		if _, err := NewSets(a, 2, level); err == nil || !strings.Contains(err.Error(), "want above 0 and below 1") {
			t.Errorf("a coverage of %g: %v", level, err)
		}
	}
}
