package fit

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// The temperatures are scipy's; see scripts/fixtures_calibration.py.
func TestTemperatureAgreesWithScipy(t *testing.T) {
	data, err := os.ReadFile("testdata/temperature.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Classes           int
		Logits            []float32
		Labels            []int
		Temperature, Loss float64
		LossAt1           float64 `json:"loss_at_1"`
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for i, c := range cases {
		got, ok := Temperature(c.Logits, c.Labels, c.Classes)
		if !ok || !(math.Abs(got/c.Temperature-1) <= 1e-5) {
			t.Errorf("case %d: temperature %.8f (%v), want %.8f", i, got, ok, c.Temperature)
		}
		for temperature, want := range map[float64]float64{got: c.Loss, 1: c.LossAt1} {
			if loss, _ := Score(Cool(c.Logits, temperature), c.Labels, c.Classes); !(math.Abs(loss-want) <= 1e-6) {
				t.Errorf("case %d: loss %.8f at %g, want %.8f", i, loss, temperature, want)
			}
		}
	}
}

func TestTemperatureWithoutAMinimum(t *testing.T) {
	for _, c := range []struct {
		name   string
		logits []float32
		labels []int
	}{
		{"all right", []float32{1, 0, 0, 2}, []int{0, 1}},
		{"all wrong", []float32{1, 0, 0, 2}, []int{1, 0}},
		{"equal logits", []float32{1, 1, 2, 2}, []int{0, 1}},
		{"no rows", nil, nil},
	} {
		if got, ok := Temperature(c.logits, c.labels, 2); ok || got != 1 {
			t.Errorf("%s: temperature %g, %v, want none", c.name, got, ok)
		}
	}
}
