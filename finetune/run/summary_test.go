package run

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/metrics"
)

// finished writes the metrics of a run on test, and on its own fold where that has a
// name.
func finished(t *testing.T, dir, name string, accuracy float64, fold bool) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	reports := []metrics.Report{{Split: "test", Accuracy: accuracy}}
	reports[0].Loss = 2 - accuracy
	if fold {
		reports = append(reports, metrics.Report{Split: name, Accuracy: accuracy / 2})
	}
	if err := KeepReports(filepath.Join(dir, name), reports); err != nil {
		t.Fatal(err)
	}
}

func TestSummaryOfSeeds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	s := Summary{By: BySeed, Settings: map[string]string{"taps": "cls", "lambda": "0.1"}}
	if err := s.Start(dir, false); err != nil {
		t.Fatal(err)
	}
	for i, accuracy := range []float64{0.5, 0.75, 0.625} { // in whatever order, they are sorted by number
		name := s.Name([]uint64{10, 2, 9}[i])
		finished(t, dir, name, accuracy, false)
		if reports, err := s.Add(dir, name); err != nil || len(reports) != i+1 {
			t.Fatalf("%d reports, %v", len(reports), err)
		}
	}
	got, err := ReadSummary(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Spread{Runs: 3, Mean: 0.625, Deviation: 0.125, Least: 0.5, Most: 0.75} // ½·(⅛²+0+⅛²) = ⅛²
	if v := got.Splits[0].Figures["accuracy"]; strings.Join(got.Runs, " ") != "seed-2 seed-9 seed-10" || len(got.Splits) != 1 || v != want {
		t.Errorf("summary %+v, want %+v of seeds 2, 9 and 10", got, want)
	}
	if v := got.Splits[0].Figures["loss"]; !(math.Abs(v.Mean-1.375) < 1e-12) {
		t.Errorf("losses %+v, want 1.375 in the mean", v)
	}
	var b strings.Builder
	if err := got.WriteTable(&b); err != nil || !strings.Contains(b.String(), "3 runs, by seed") || !strings.Contains(b.String(), "62.5 ± 12.5%") {
		t.Errorf("table %q, %v", b.String(), err)
	}
	if _, err := ReadConfig(dir); err == nil || !strings.Contains(err.Error(), "several runs (seed-2, seed-9, seed-10), want one of them") {
		t.Errorf("as a single run: error %v", err)
	}
	more := Summary{By: BySeed, Settings: got.Settings}
	if err := more.Start(dir, false); err != nil || len(more.Runs) != 3 {
		t.Errorf("gone on with: %+v, %v", more, err)
	}
	for want, other := range map[string]Summary{
		`taps was "cls" and now is "mean"`:                  {By: BySeed, Settings: map[string]string{"taps": "mean", "lambda": "0.1"}},
		`lambda was "0.1" and now is ""`:                    {By: BySeed, Settings: map[string]string{"taps": "cls"}},
		"they were several seeds and now are folds; choose": {By: ByFold, Settings: got.Settings},
	} {
		if err := other.Start(dir, false); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--force") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	kept := filepath.Join(dir, "seed-2", "model.onnx")
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range got.Runs {
		if err := os.WriteFile(filepath.Join(dir, name, configFile), []byte(`{"format":"graft-run-1","kind":"cnn","classes":["a","b"],
			"model":{"arch":"study","side":32,"channels":1,"outputs":2},"pixels":{"side":48,"fit":"resize"}}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	anew := Summary{By: ByFold, Settings: map[string]string{"taps": "mean"}}
	if err := anew.Start(dir, true); err != nil || len(anew.Runs) != 0 || exists(filepath.Join(dir, "seed-9")) || !exists(kept) {
		t.Errorf("replaced: %+v, %v; want no runs, and what is no run's file kept", anew, err)
	}
}

func TestSummaryOfFolds(t *testing.T) {
	dir := t.TempDir()
	s := Summary{By: ByFold}
	for i, accuracy := range []float64{0.5, 0.75} {
		finished(t, dir, s.Name(uint64(i)+1), accuracy, true)
		if _, err := s.Add(dir, s.Name(uint64(i)+1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.Splits) != 2 || s.Splits[1].Split != ByFold || s.Splits[1].Figures["accuracy"].Runs != 2 || s.Splits[1].Figures["accuracy"].Mean != 0.3125 {
		t.Errorf("splits %+v, want the folds as one", s.Splits)
	}
}

func TestSummaryKeepsOffOtherFolders(t *testing.T) {
	dir := t.TempDir()
	s := Summary{By: BySeed}
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if err := s.Start(dir, force); err == nil || !strings.Contains(err.Error(), "note.txt") && !strings.Contains(err.Error(), "holds no summary.json") {
			t.Errorf("error %v, want one on a folder of other things", err)
		}
	}
	for _, v := range []any{map[string]any{"by": "luck"}, map[string]any{"by": "seed", "runs": []string{"../seed-1"}}, map[string]any{"by": "seed", "runs": []string{"seed-01"}}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, summaryFile), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSummary(dir); err == nil || !strings.Contains(err.Error(), summaryFile) {
			t.Errorf("%s: error %v", data, err)
		}
	}
}

// A first summary that was never finished is no folder of others.
func TestSummaryBegunAndKilled(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".graft-tmp-summary.json-0123456789abcdef"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &Summary{By: BySeed}
	if err := s.Start(dir, false); err != nil {
		t.Error(err)
	}
}
