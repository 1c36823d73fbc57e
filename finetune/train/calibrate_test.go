package train

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/run"
	"graft/pretrained/store"
)

// checkCalibrated wants the run's temperature to be the best for its held-out rows.
func checkCalibrated(t *testing.T, r *run.Run, held *run.Predictions) {
	t.Helper()
	k := len(r.Config.Classes)
	logs := make([]float32, len(held.Probs))
	for i, p := range held.Probs {
		logs[i] = float32(math.Log(float64(p)))
	}
	if again, ok := fit.Temperature(logs, held.Labels, k); !ok || !(math.Abs(again-1) <= 1e-4) || r.Config.Temperature == 1 {
		t.Errorf("temperature %g could be improved by %g", r.Config.Temperature, again)
	}
	if loss, _ := fit.Score(logs, held.Labels, k); !(math.Abs(loss-r.Config.Calibration.Loss) <= 1e-5) || loss >= r.Config.Calibration.Uncalibrated {
		t.Errorf("loss %g on what was held out, recorded %+v", loss, r.Config.Calibration)
	}
}

// heldOutOf are a run's held-out rows, which must be those that are drawn.
func heldOutOf(t *testing.T, r *run.Run, embeddings string, share float64) *run.Predictions {
	t.Helper()
	held, err := run.ReadHeldOut(r.Dir, r.Config.Classes)
	if err != nil || held == nil {
		t.Fatalf("no predictions of what was held out: %v", err)
	}
	s, err := store.Open(embeddings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Matrix([]string{"mean"}, "train")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, err := head.HoldOut(m.Labels, len(r.Config.Classes), nil, share, r.Config.Seed)
	if err != nil {
		t.Fatal(err)
	}
	if want := (run.Rows{Labels: m.Labels, IDs: m.IDs, Indices: m.Indices}).At(rows); !slices.Equal(held.Indices, want.Indices) || !slices.Equal(held.Labels, want.Labels) {
		t.Errorf("rows %v, want those held out, %v", held.Indices, want.Indices)
	}
	return held
}

// What the head of the chosen penalty said of the hold-out is told by the choice too.
func TestTemperatureOfLBFGS(t *testing.T) {
	for _, flip := range []bool{false, true} {
		dir := t.TempDir()
		spec := runtest.Usual()
		spec.Rows["train"] = 900 // so that some of the tenth are wrong
		embeddings := runtest.Store(t, dir, spec)
		r := trainUsual(t, HeadConfig{Embeddings: embeddings, Out: filepath.Join(dir, "run"), Taps: []string{"mean"}, Seed: 3, UseFlip: flip}).Run
		held := heldOutOf(t, r, embeddings, 0.1)
		if flip { // both views are averaged here, and judged each for itself where λ is chosen
			continue
		}
		checkCalibrated(t, r, held)
		right := 0.0
		for _, ok := range held.Right() {
			if ok {
				right++
			}
		}
		at := slices.IndexFunc(r.Config.Head.Tried, func(s run.Strength) bool { return s.Lambda == *r.Config.Head.Lambda })
		chosen := r.Config.Head.Tried[at]
		if !(math.Abs(chosen.Accuracy-right/float64(len(held.Labels))) <= 1e-9) || !(math.Abs(chosen.Loss-r.Config.Calibration.Uncalibrated) <= 1e-5) {
			t.Errorf("%g of %d right, loss %g; the choice was by %+v", right, len(held.Labels), r.Config.Calibration.Uncalibrated, chosen)
		}
	}
}

func TestTemperatureOfDescent(t *testing.T) {
	dir := t.TempDir()
	embeddings := runtest.Store(t, dir, runtest.Usual())
	d, err := NewHeadDescent(run.RecipeStudy)
	if err != nil {
		t.Fatal(err)
	}
	d.Holdout, d.Fit.Epochs, d.Fit.LearningRate = 0.25, 6, 0.02
	out := filepath.Join(dir, "run")
	r := trainUsual(t, HeadConfig{Embeddings: embeddings, Out: out, Taps: []string{"mean"}, Recipe: run.RecipeStudy, Descent: d, Seed: 3}).Run
	checkCalibrated(t, r, heldOutOf(t, r, embeddings, 0.25))
	history := runtest.ReadCSV(t, filepath.Join(out, "history.csv"))
	if last, err := strconv.ParseFloat(history[len(history)-1][2], 64); err != nil || !(math.Abs(last-r.Config.Calibration.Uncalibrated) <= 1e-5) {
		t.Errorf("loss %g before calibration, the last epoch's was %g (%v)", r.Config.Calibration.Uncalibrated, last, err)
	}
	e, err := judge.Evaluate(t.Context(), judge.Config{Run: out, Conformal: 0.8})
	if err != nil {
		t.Fatal(err)
	}
	report := e.Reports[0]
	if report.Temperature != r.Config.Temperature || report.Uncalibrated == nil || report.Uncalibrated.Loss == report.Loss {
		t.Errorf("report at temperature %g, uncalibrated %v", report.Temperature, report.Uncalibrated)
	}
	if c := report.Conformal; c == nil || c.Rows != r.Config.Calibration.Rows || c.Total != report.Total || !(*c.Share > 0.5) {
		t.Errorf("sets %+v", c)
	}
}

// Where nothing was held out the temperature is 1, which is said, and there are no sets.
func TestNoTemperatureWithoutHoldout(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	c := HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: filepath.Join(dir, "run"), Taps: []string{"mean"}, Lambda: new(0.01), Seed: 1}
	result, err := Head(t.Context(), c, Observer{Log: func(line string) { lines = append(lines, line) }})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Run.Config; got.Temperature != 1 || got.Calibration != nil || !slices.Contains(lines, "temperature 1: no rows of train were held out to fit one on") {
		t.Errorf("temperature %g, %+v, log %q", got.Temperature, got.Calibration, lines)
	}
	if _, err := os.Stat(filepath.Join(c.Out, "predictions-holdout.csv")); !os.IsNotExist(err) {
		t.Errorf("predictions of what was not held out: %v", err)
	}
	_, err = judge.Evaluate(t.Context(), judge.Config{Run: c.Out, Conformal: 0.9})
	runtest.WantError(t, err, c.Out, "no predictions of held-out rows", "--holdout 0.1")
}
