package metrics

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

type fixture struct {
	Name    string
	Classes int
	Labels  []int
	Probs   []float32
	Want    struct {
		Correct               int
		Accuracy, Loss, ECE   float64
		Interval              [2]float64 `json:"accuracy_ci95"`
		MacroF1               float64    `json:"macro_f1"`
		Balanced              float64    `json:"balanced_accuracy"`
		Precision, Recall, F1 []float64
		Support               []int
		Confusion             [][]int
	}
}

// The fixture is scikit-learn's answer; see scripts/fixtures_metrics.py.
func fixtures(t *testing.T) []fixture {
	t.Helper()
	data, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []fixture
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("testdata/metrics.json: no cases")
	}
	return list
}

func TestEvaluateAgreesWithScikitLearn(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			names := strings.Split("abcdefghijkl"[:f.Classes], "")
			r, err := Evaluate(f.Probs, f.Labels, names)
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if !(math.Abs(got-want) <= 1e-6) {
					t.Errorf("%s: got %.9g, want %.9g", what, got, want)
				}
			}
			if r.Correct != f.Want.Correct || r.Total != len(f.Labels) {
				t.Errorf("got %d of %d correct, want %d of %d", r.Correct, r.Total, f.Want.Correct, len(f.Labels))
			}
			near("accuracy", r.Accuracy, f.Want.Accuracy)
			near("lower bound", r.Interval[0], f.Want.Interval[0])
			near("upper bound", r.Interval[1], f.Want.Interval[1])
			near("loss", r.Loss, f.Want.Loss)
			near("macro F1", r.MacroF1, f.Want.MacroF1)
			near("balanced accuracy", r.Balanced, f.Want.Balanced)
			near("ECE", r.ECE, f.Want.ECE)
			if !reflect.DeepEqual(r.Confusion, f.Want.Confusion) {
				t.Errorf("confusion: got %v, want %v", r.Confusion, f.Want.Confusion)
			}
			for i, c := range r.Classes {
				near(c.Name+" precision", c.Precision, f.Want.Precision[i])
				near(c.Name+" recall", c.Recall, f.Want.Recall[i])
				near(c.Name+" f1", c.F1, f.Want.F1[i])
				if c.Total != f.Want.Support[i] {
					t.Errorf("%s: %d samples, want %d", c.Name, c.Total, f.Want.Support[i])
				}
			}
		})
	}
}

func TestEvaluateRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		probs  []float32
		labels []int
		want   string
	}{
		{"no samples", nil, nil, "nothing to evaluate"},
		{"short", []float32{1}, []int{0}, "1 values for 1 samples of 2 classes, want 2"},
		{"label outside", []float32{1, 0}, []int{2}, "label 2 is outside the 2 classes"},
		{"negative label", []float32{1, 0}, []int{-1}, "label -1"},
		{"nan", []float32{1, 0, nan, 1}, []int{0, 0}, "sample 1: probability of class 0 is NaN"},
		{"negative", []float32{-0.5, 1}, []int{0}, "probability of class 0 is -0.5"},
		{"logits", []float32{0.9, 0.9}, []int{0}, "sum to 1.79"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Evaluate(c.probs, c.labels, []string{"a", "b"})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestWilsonEdges(t *testing.T) {
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, 0.2775328},
		{10, 10, 0.7224672, 1},
		{1799, 3589, 0.4849032, 0.5176017},
	} {
		lo, hi := Wilson(c.k, c.n)
		if !(math.Abs(lo-c.lo) <= 1e-6 && math.Abs(hi-c.hi) <= 1e-6) {
			t.Errorf("Wilson(%d, %d) = %.7f, %.7f; want %.7f, %.7f", c.k, c.n, lo, hi, c.lo, c.hi)
		}
	}
}

func TestBinBoundsBelongToTheLowerBin(t *testing.T) {
	for i := range bins {
		hi := float64(i+1) / bins
		if got := bin(hi); got != i {
			t.Errorf("bin(%g) = %d, want %d", hi, got, i)
		}
		if got := bin(math.Nextafter(hi, 2)); got != min(i+1, bins-1) {
			t.Errorf("bin just over %g = %d, want %d", hi, got, min(i+1, bins-1))
		}
	}
}

func TestJSONHasTheKeysOfTheFormat(t *testing.T) {
	r, err := Evaluate([]float32{1, 0}, []int{0}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	r.Run, r.Split = "r", "val"
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"run", "split", "total", "correct", "accuracy", "accuracy_ci95", "loss", "macro_f1",
		"balanced_accuracy", "ece", "classes", "confusion"}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, ok := got[k]; !ok {
			t.Errorf("key %q is missing in %s", k, data)
		}
	}
	if len(got) != len(keys) {
		t.Errorf("%d keys, want %d: %s", len(got), len(keys), data)
	}
}
