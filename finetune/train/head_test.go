package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"graft/finetune/head"
	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

func TestTrainHeadLearns(t *testing.T) {
	lambda := 0.01
	for _, c := range []struct {
		name string
		with HeadConfig
		from float64 // lowest accuracy that is plausible
	}{
		{"default", HeadConfig{}, 0.75},
		{"lambda given", HeadConfig{Lambda: &lambda}, 0.75},
		{"balanced", HeadConfig{Imbalance: Imbalance{ClassWeights: WeightsBalanced}}, 0.75},
		{"one tap", HeadConfig{Taps: []string{"mean"}}, 0.45},
		{"mirrored", HeadConfig{UseFlip: true}, 0.8},
		{"study", HeadConfig{Recipe: run.RecipeStudy}, 0.34}, // 80 small steps from random weights: little more than chance
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.with.Embeddings, c.with.Out, c.with.Seed = runtest.Store(t, dir, runtest.Usual()), filepath.Join(dir, "run"), 3
			r := trainUsual(t, c.with)
			if len(r.Reports) != 2 || r.Reports[0].Split != "public-test" || r.Reports[1].Split != "private-test" {
				t.Fatalf("reports %+v, want public-test and private-test", r.Reports)
			}
			for _, rep := range r.Reports {
				if rep.Total != 60 || !(rep.Accuracy >= c.from) {
					t.Errorf("%s: accuracy %.3f of %d, want at least %.2f of 60", rep.Split, rep.Accuracy, rep.Total, c.from)
				}
			}
			checkFiles(t, c.with.Out, r.Reports)
		})
	}
}

// checkFiles reads a run back and compares it with what TrainHead returned.
func checkFiles(t *testing.T, dir string, want []metrics.Report) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	var stored []metrics.Report
	if err := json.Unmarshal(data, &stored); err != nil || !reflect.DeepEqual(stored, want) {
		t.Errorf("%s holds %+v (%v), want %+v", "metrics.json", stored, err, want)
	}
	again, err := judge.Evaluate(context.Background(), judge.Config{Run: dir, Splits: []string{"public-test", "private-test"}})
	if err != nil || !reflect.DeepEqual(again.Reports, want) {
		t.Errorf("evaluated again: %+v (%v), want %+v", again.Reports, err, want)
	}
	for _, r := range want {
		checkPredictions(t, filepath.Join(dir, "predictions-"+r.Split+".csv"), r)
	}
	checkHistory(t, filepath.Join(dir, "history.csv"))
}

func checkPredictions(t *testing.T, path string, r metrics.Report) {
	t.Helper()
	rows := runtest.ReadCSV(t, path)
	if want := "index,id,label,predicted,p_angry,p_happy,p_sad,group,clean"; strings.Join(rows[0], ",") != want {
		t.Errorf("%s: columns %v, want %s", path, rows[0], want)
	}
	correct, sum := 0, 0.0
	for i, row := range rows[1:] {
		if row[2] == row[3] {
			correct++
		}
		if !strings.HasPrefix(row[1], r.Split+"_") || strings.TrimLeft(strings.TrimPrefix(row[1], r.Split+"_"), "0") != row[0] {
			t.Fatalf("%s: row %d: index %s and id %s do not belong together", path, i, row[0], row[1])
		}
		for _, p := range row[4:7] {
			v, err := strconv.ParseFloat(p, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += v
		}
	}
	n := len(rows) - 1
	if n != r.Total || correct != r.Correct || !(math.Abs(sum-float64(n)) <= 1e-4) {
		t.Errorf("%s: %d rows, %d correct, probabilities sum to %g; want %d, %d, %d", path, n, correct, sum, r.Total, r.Correct, r.Total)
	}
}

func checkHistory(t *testing.T, path string) {
	t.Helper()
	rows := runtest.ReadCSV(t, path)
	if len(rows) < 2 || rows[0][1] != "train_loss" {
		t.Fatalf("%s: %d rows under %v, want some and the train loss", path, len(rows)-1, rows[0])
	}
	first, err1 := strconv.ParseFloat(rows[1][1], 64)
	last, err2 := strconv.ParseFloat(rows[len(rows)-1][1], 64)
	if err1 != nil || err2 != nil || !(last < first) {
		t.Errorf("%s: training loss went from %q to %q, want it to fall", path, rows[1][1], rows[len(rows)-1][1])
	}
}

func TestStudyIsValidatedEachEpoch(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	r := trainUsual(t, HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: out, Recipe: run.RecipeStudy})
	rows := runtest.ReadCSV(t, filepath.Join(out, "history.csv"))
	if len(rows) != 11 {
		t.Fatalf("%d epochs, want 10", len(rows)-1)
	}
	accuracy, err := strconv.ParseFloat(rows[10][3], 64)
	if err != nil || !(math.Abs(accuracy-r.Reports[0].Accuracy) <= 1e-8) {
		t.Errorf("last validation accuracy %q (%v), want that of public-test, %g", rows[10][3], err, r.Reports[0].Accuracy)
	}
	if r.Run.Config.Head.Standardize || r.Run.Weights[nets.FeatureMean] != nil {
		t.Error("the study's recipe does not standardise")
	}
}

// Mean and deviation are learnt too: rows held out must have no part in them.
func TestStandardisedOnTheRowsTrainedOn(t *testing.T) {
	dir := t.TempDir()
	path := runtest.Store(t, dir, runtest.Usual())
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Matrix(nil, dataset.Train)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewHeadDescent(run.RecipeStrong)
	if err != nil {
		t.Fatal(err)
	}
	d.Holdout, d.Fit.Epochs = 0.25, 1
	r := trainUsual(t, HeadConfig{Embeddings: path, Out: filepath.Join(dir, "run"), Recipe: run.RecipeStrong, Descent: d, Seed: 3})
	fitted, _, err := head.HoldOut(m.Labels, len(s.Classes()), nil, d.Holdout, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Run.Config.Head.Samples; got != len(fitted) || got == len(m.Labels) {
		t.Errorf("trained on %d of %d rows, want %d", got, len(m.Labels), len(fitted))
	}
	for j := range m.Dim {
		mean := columnMean(m.X, m.Dim, j, fitted)
		if got := float64(r.Run.Weights[nets.FeatureMean][j]); !(math.Abs(got-mean) <= 1e-6) {
			t.Errorf("feature %d: mean %.7f, want %.7f of the rows trained on (%.7f of all)", j, got, mean, columnMean(m.X, m.Dim, j, all(len(m.Labels))))
		}
	}
}

func columnMean(x []float32, dim, j int, rows []int) float64 {
	var sum float64
	for _, r := range rows {
		sum += float64(x[r*dim+j])
	}
	return sum / float64(len(rows))
}

func TestEqualSettingsGiveEqualBytes(t *testing.T) {
	for _, recipe := range []string{run.RecipeLBFGS, run.RecipeStudy, run.RecipeStrong} {
		dir := t.TempDir()
		store := runtest.Store(t, dir, runtest.Usual())
		train := func(name string, seed uint64) []byte {
			out := filepath.Join(dir, name)
			trainUsual(t, HeadConfig{Embeddings: store, Out: out, Recipe: recipe, Seed: seed})
			data, err := os.ReadFile(filepath.Join(out, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		a, b := train("a", 5), train("b", 5)
		if !bytes.Equal(a, b) {
			t.Errorf("recipe %s: two runs of seed 5 differ", recipe)
		}
		if recipe == run.RecipeStudy && bytes.Equal(a, train("c", 6)) {
			t.Errorf("recipe %s: seeds 5 and 6 give the same weights", recipe)
		}
	}
}

// Of a file that graft did not export nobody says whether its weights were learned.
func TestPretrainedIsNotGuessed(t *testing.T) {
	for source, want := range map[string]string{"": "", "random:9": `"pretrained":false`, "vit.pth": `"pretrained":true`} {
		spec := runtest.Usual()
		spec.Source = source
		s, err := store.Open(runtest.Store(t, t.TempDir(), spec))
		if err != nil {
			t.Fatal(err)
		}
		record, err := describeBackbone(t.Context(), s, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(record)
		if err != nil || !strings.Contains(string(data), want) || want == "" && strings.Contains(string(data), "pretrained") {
			t.Errorf("source %q: %s, %v; want %s", source, data, err, want)
		}
	}
	var old run.BackboneRecord
	if err := json.Unmarshal([]byte(`{"pretrained":true}`), &old); err != nil || !*old.Pretrained {
		t.Errorf("an older config.json: %v, %v", old.Pretrained, err)
	}
}

func TestConfigTellsWhereAllCameFrom(t *testing.T) {
	dir := t.TempDir()
	spec := runtest.Usual()
	spec.Source = "random:9"
	out := filepath.Join(dir, "run")
	embeddings := runtest.Store(t, dir, spec)
	r := trainUsual(t, HeadConfig{Embeddings: embeddings, Out: out, Seed: 4, Program: run.Program{Version: "v1"}})
	c, err := run.ReadConfig(out)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, r.Run.Config) {
		t.Errorf("config.json reads back as %+v, want %+v", c, r.Run.Config)
	}
	if *c.Backbone.Pretrained || len(c.Notes) == 0 || !strings.Contains(c.Notes[0], "No pretrained weights were used") {
		t.Errorf("pretrained %v, notes %q; want the plain words about random weights", c.Backbone.Pretrained, c.Notes)
	}
	if c.Seed != 4 || c.Version != "v1" || c.Backbone.SHA256 != spec.Hash || c.Dataset.Fingerprint != spec.Data {
		t.Errorf("seed %d, version %q, backbone %s, dataset %s", c.Seed, c.Version, c.Backbone.SHA256, c.Dataset.Fingerprint)
	}
	if len(c.Embeddings.ManifestSHA256) != 64 || c.Embeddings.Rows["train"] != 240 || c.Head.Dim != 9 || c.Head.Samples != 240 {
		t.Errorf("embeddings %+v, head %+v", c.Embeddings, c.Head)
	}
	if c.Head.Lambda == nil || c.Head.LambdaFrom != "holdout" || len(c.Head.Tried) < 2 {
		t.Errorf("strength %v from %q of %d tried", c.Head.Lambda, c.Head.LambdaFrom, len(c.Head.Tried))
	}
}

func TestTrainHeadRefuses(t *testing.T) {
	dir := t.TempDir()
	store := runtest.Store(t, dir, runtest.Usual())
	noFlip := runtest.Usual()
	noFlip.Flip = false
	plain := runtest.Store(t, filepath.Join(dir, "plain"), noFlip)
	noTrain := runtest.Usual()
	noTrain.Splits, noTrain.Rows = []string{"public-test"}, map[string]int{"public-test": 10}
	untrained := runtest.Store(t, filepath.Join(dir, "untrained"), noTrain)
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(full, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full, "letter.txt"), []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(dir, "begun") // by gradient descent, and interrupted
	if err := os.MkdirAll(begun, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(begun, run.CheckpointFile), []byte("hours of work"), 0o644); err != nil {
		t.Fatal(err)
	}
	minus, one := -1.0, 1.0
	for _, c := range []struct {
		name string
		c    HeadConfig
		want string
	}{
		{"no store", HeadConfig{Out: filepath.Join(dir, "x")}, "no embedding store"},
		{"no out", HeadConfig{Embeddings: store}, "no folder for the run"},
		{"recipe", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Recipe: "magic"}, `recipe "magic" of a head; known are lbfgs, strong, study`},
		{"weights", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Imbalance: Imbalance{ClassWeights: "odd"}}, `class weights "odd"`},
		{"lambda", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Lambda: &minus}, "lambda -1"},
		{"study with a strength", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Recipe: run.RecipeStudy, Lambda: &one}, "recipe study has no strength"},
		{"lbfgs with epochs", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Descent: &HeadDescent{}}, "no settings of gradient descent"},
		{"tap", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Taps: []string{"cls_9"}}, `no tap "cls_9"; it has cls, mean`},
		{"no flips", HeadConfig{Embeddings: plain, Out: filepath.Join(dir, "x"), UseFlip: true}, "--flip"},
		{"no train", HeadConfig{Embeddings: untrained, Out: filepath.Join(dir, "x")}, `no split "train"`},
		{"interrupted training", HeadConfig{Embeddings: store, Out: begun}, "interrupted training"},
		{"full folder", HeadConfig{Embeddings: store, Out: full}, "--force"},
		{"forced on what is no run", HeadConfig{Embeddings: store, Out: full, Force: true}, "letter.txt"},
		{"model", HeadConfig{Embeddings: store, Out: filepath.Join(dir, "x"), Model: filepath.Join(full, "letter.txt")}, "not an ONNX model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Head(context.Background(), c.c, Observer{})
			runtest.WantError(t, err, c.want)
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); !os.IsNotExist(err) {
		t.Errorf("a refused training made its folder: %v", err)
	}
}

func TestForceReplacesARunAndKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	store, out := runtest.Store(t, dir, runtest.Usual()), filepath.Join(dir, "run")
	c := HeadConfig{Embeddings: store, Out: out}
	trainUsual(t, c)
	for _, name := range []string{"predictions-old.csv", "model.onnx"} {
		if err := os.WriteFile(filepath.Join(out, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Head(context.Background(), c, Observer{})
	runtest.WantError(t, err, out, "--force")
	c.Force = true
	trainUsual(t, c)
	if exists(filepath.Join(out, "predictions-old.csv")) || !exists(filepath.Join(out, "model.onnx")) {
		t.Error("--force must remove the old run's files and leave others")
	}
}

func TestCancelledTrainingLeavesNoRun(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Head(ctx, HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: out}, Observer{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if exists(filepath.Join(out, "config.json")) {
		t.Error("a cancelled training left a finished run")
	}
}
