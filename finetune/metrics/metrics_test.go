package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	Groups  []int
	Probs   []float32
	Want    struct {
		Correct                                  int
		Accuracy, Loss, Brier, ECE, Kappa, AUROC *float64
		Interval                                 [2]float64   `json:"accuracy_ci95"`
		MacroF1                                  *float64     `json:"macro_f1"`
		Balanced                                 *float64     `json:"balanced_accuracy"`
		AveragePrecision                         *float64     `json:"average_precision"`
		ClassAUROC                               []*float64   `json:"class_auroc"`
		ClassPrecision                           []*float64   `json:"class_average_precision"`
		TopK                                     [][2]float64 `json:"top_k"`
		Reliability                              [][3]*float64
		Precision, Recall, F1                    []float64
		Support                                  []int
		Confusion                                [][]int
		CI95                                     map[string]json.RawMessage
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

// near wants two figures to be equal, or both undefined.
func near(t *testing.T, what string, got, want *float64) {
	t.Helper()
	if (got == nil) != (want == nil) || got != nil && !(math.Abs(*got-*want) <= 1e-6) {
		text := func(v *float64) any {
			if v == nil {
				return "undefined"
			}
			return *v
		}
		t.Errorf("%s: got %v, want %v", what, text(got), text(want))
	}
}

func TestEvaluateAgreesWithScikitLearn(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			r, err := Answers{Probs: f.Probs, Labels: f.Labels, Groups: f.Groups}.Evaluate(strings.Split("abcdefghijkl"[:f.Classes], ""))
			if err != nil {
				t.Fatal(err)
			}
			if r.Correct != f.Want.Correct || r.Total != len(f.Labels) {
				t.Errorf("got %d of %d correct, want %d of %d", r.Correct, r.Total, f.Want.Correct, len(f.Labels))
			}
			near(t, "accuracy", &r.Accuracy, f.Want.Accuracy)
			near(t, "lower bound", &r.Interval[0], &f.Want.Interval[0])
			near(t, "upper bound", &r.Interval[1], &f.Want.Interval[1])
			near(t, "loss", &r.Loss, f.Want.Loss)
			near(t, "Brier score", &r.Brier, f.Want.Brier)
			near(t, "ECE", &r.ECE, f.Want.ECE)
			near(t, "macro F1", &r.MacroF1, f.Want.MacroF1)
			near(t, "balanced accuracy", &r.Balanced, f.Want.Balanced)
			near(t, "kappa", r.Kappa, f.Want.Kappa)
			near(t, "AUROC", r.AUROC, f.Want.AUROC)
			near(t, "average precision", r.Precision, f.Want.AveragePrecision)
			if !reflect.DeepEqual(r.Confusion, f.Want.Confusion) {
				t.Errorf("confusion: got %v, want %v", r.Confusion, f.Want.Confusion)
			}
			for i, c := range r.Classes {
				near(t, c.Name+" precision", &c.Precision, &f.Want.Precision[i])
				near(t, c.Name+" recall", &c.Recall, &f.Want.Recall[i])
				near(t, c.Name+" f1", &c.F1, &f.Want.F1[i])
				near(t, c.Name+" AUROC", c.AUROC, f.Want.ClassAUROC[i])
				near(t, c.Name+" average precision", c.Average, f.Want.ClassPrecision[i])
				if c.Total != f.Want.Support[i] {
					t.Errorf("%s: %d samples, want %d", c.Name, c.Total, f.Want.Support[i])
				}
			}
			checkTables(t, r, f)
		})
	}
}

// checkTables compares what is a list of its own.
func checkTables(t *testing.T, r Report, f fixture) {
	if len(r.TopK) != len(f.Want.TopK) || len(r.Reliability) != len(f.Want.Reliability) {
		t.Fatalf("%d of top k, %d bins, want %d, %d", len(r.TopK), len(r.Reliability), len(f.Want.TopK), len(f.Want.Reliability))
	}
	for i, top := range r.TopK {
		if want := f.Want.TopK[i]; float64(top.K) != want[0] {
			t.Errorf("top %d, want %g", top.K, want[0])
		}
		near(t, fmt.Sprintf("top %d", top.K), &top.Accuracy, &f.Want.TopK[i][1])
	}
	for i, b := range r.Reliability {
		count := float64(b.Count)
		near(t, fmt.Sprintf("count of bin %d", i), &count, f.Want.Reliability[i][0])
		near(t, fmt.Sprintf("confidence of bin %d", i), b.Confidence, f.Want.Reliability[i][1])
		near(t, fmt.Sprintf("accuracy of bin %d", i), b.Accuracy, f.Want.Reliability[i][2])
	}
}

// Intervals are the percentiles of scikit-learn's figures, the resamples' rows
// having their weights as sample_weight.
func TestIntervalsAgreeWithScikitLearn(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.Name, func(t *testing.T) {
			r, err := Answers{Probs: f.Probs, Labels: f.Labels, Groups: f.Groups}.Evaluate(strings.Split("abcdefghijkl"[:f.Classes], ""))
			if err != nil {
				t.Fatal(err)
			}
			if r.Resamples != 1000 {
				t.Errorf("%d resamples, want 1000", r.Resamples)
			}
			interval := func(what string, got *[2]float64, data []byte) {
				t.Helper()
				var want [2]*float64
				if err := json.Unmarshal(data, &want); err != nil {
					t.Fatal(err)
				}
				if got == nil {
					got = &[2]float64{math.NaN(), math.NaN()}
				}
				near(t, what+" from", defined(got[0]), want[0])
				near(t, what+" to", defined(got[1]), want[1])
			}
			for what, got := range map[string]*[2]float64{"loss": r.LossInterval, "brier": r.BrierInterval, "ece": r.ECEInterval,
				"macro_f1": r.MacroF1Interval, "balanced_accuracy": r.BalancedInterval, "kappa": r.KappaInterval,
				"auroc": r.AUROCInterval, "average_precision": r.PrecisionInterval} {
				interval(what, got, f.Want.CI95[what])
			}
			for what, of := range map[string]func(Class) *[2]float64{
				"class_f1":                func(c Class) *[2]float64 { return c.F1Interval },
				"class_auroc":             func(c Class) *[2]float64 { return c.AUROCInterval },
				"class_average_precision": func(c Class) *[2]float64 { return c.AverageInterval },
			} {
				var want []json.RawMessage
				if err := json.Unmarshal(f.Want.CI95[what], &want); err != nil {
					t.Fatal(err)
				}
				for i, c := range r.Classes {
					interval(c.Name+" "+what, of(c), want[i])
				}
			}
		})
	}
}

// What a split does not define is null, never 0, and "n/a" for people.
func TestUndefinedIsNull(t *testing.T) {
	r, err := Evaluate([]float32{1, 0, 1, 0}, []int{0, 0}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kappa":null`, `"kappa_ci95":null`, `"auroc":null`, `"auroc_ci95":null`,
		`"average_precision":1,`, `"average_precision":null`, `"recall_ci95":null`, `{"count":0,"confidence":null,"accuracy":null,"accuracy_ci95":null}`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
	var b bytes.Buffer
	if err := WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Cohen's kappa n/a\n", "AUROC n/a\n"} {
		if text := strings.Join(strings.Fields(strings.ReplaceAll(b.String(), "\n", " | ")), " "); !strings.Contains(text, strings.ReplaceAll(want, "\n", " |")) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// Losses that are told more exactly than float32 probabilities can count.
func TestGivenLosses(t *testing.T) {
	r, err := Answers{Probs: []float32{0, 1}, Labels: []int{0}, Losses: []float64{200}}.Evaluate([]string{"a", "b"})
	if err != nil || r.Loss != 200 || *r.LossInterval != [2]float64{200, 200} {
		t.Errorf("loss %g, %v (%v), want 200", r.Loss, r.LossInterval, err)
	}
}

// BenchmarkEvaluate is FER2013's test split: the whole report, intervals included.
func BenchmarkEvaluate(b *testing.B) {
	const n, k = 3589, 7
	probs, labels := make([]float32, 0, n*k), make([]int, n)
	for i := range labels {
		labels[i] = i * i % k
		for c := range k {
			p := float32(0.05 + float64((i*31+c*17)%97)/9700)
			if c == (labels[i]+i%2)%k {
				p = 0
			}
			probs = append(probs, p)
		}
		row, rest := probs[i*k:], float32(1)
		for _, p := range row {
			rest -= p
		}
		row[(labels[i]+i%2)%k] = rest
	}
	for b.Loop() {
		if _, err := Evaluate(probs, labels, strings.Split("abcdefg", "")); err != nil {
			b.Fatal(err)
		}
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
		"balanced_accuracy", "ece", "classes", "confusion", "loss_ci95", "brier", "brier_ci95", "ece_ci95", "reliability", "top_k",
		"macro_f1_ci95", "balanced_accuracy_ci95", "kappa", "kappa_ci95", "auroc", "auroc_ci95", "average_precision",
		"average_precision_ci95", "resamples", "groups", "clean"}
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
