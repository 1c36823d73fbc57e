package judge_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/train"
	"graft/preprocess/dataset"
)

func trainHead(t testing.TB, c train.HeadConfig) {
	t.Helper()
	if _, err := train.Head(context.Background(), c, train.Observer{}); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestEvaluateRefusesForeignStores(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	trainHead(t, train.HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: out, UseFlip: true})
	for _, c := range []struct {
		name   string
		change func(*runtest.Spec)
		want   []string
	}{
		{"backbone", func(s *runtest.Spec) { s.Hash = strings.Repeat("12", 32) }, []string{"SHA-256", strings.Repeat("12", 32), strings.Repeat("ab", 32)}},
		{"flips", func(s *runtest.Spec) { s.Flip = false }, []string{"mirrored"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := runtest.Usual()
			c.change(&spec)
			other := runtest.Store(t, t.TempDir(), spec)
			_, err := judge.Evaluate(context.Background(), judge.Config{Run: out, Embeddings: other})
			runtest.WantError(t, err, append(c.want, "the store has", "the run wants")...)
		})
	}
}

// TestEvaluateMatchesClassesByName judges stores that name the classes otherwise. Features lie around a point for each number
// of a class: where two names are exchanged, what bears them is predicted wrongly, and would not be if numbers were matched.
func TestEvaluateMatchesClassesByName(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	trainHead(t, train.HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: out, UseFlip: true})
	evaluate := func(skip bool, classes ...string) (judge.Evaluation, error) {
		spec := runtest.Usual()
		spec.Classes = classes
		return judge.Evaluate(t.Context(), judge.Config{Run: out, Embeddings: runtest.Store(t, t.TempDir(), spec), Data: dataset.Ref{SkipUnknown: skip}})
	}
	e, err := evaluate(false, "happy", "angry", "sad")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range e.Reports[0].Classes {
		if c.Name != []string{"angry", "happy", "sad"}[i] || c.Total < 15 || (c.Recall > 0.5) != (c.Name == "sad") {
			t.Errorf("%s: %d of %d are right; only sad's may be", c.Name, c.Correct, c.Total)
		}
	}
	if _, err = evaluate(false, "angry", "calm", "Sad"); err == nil || !strings.Contains(err.Error(), "calm (116)") || !strings.Contains(err.Error(), "--skip-unknown") {
		t.Errorf("a class that the head does not know: %v, want an error that names it and the way out", err)
	}
	e, err = evaluate(true, "angry", "calm", "Sad")
	if notes := strings.Join(e.Notes, " "); err != nil || e.Reports[0].Total != 36 || !(e.Reports[0].Accuracy > 0.75) || !strings.Contains(notes, `"Sad"`) ||
		!strings.Contains(notes, "calm (116)") || !strings.Contains(notes, "lacks the classes happy") {
		t.Errorf("without the unknown class: %+v, notes %q, %v; want 36 rows, most of them right", e.Reports, e.Notes, err)
	}
	_, err = evaluate(false, "x", "y", "z")
	runtest.WantError(t, err, "x, y, z", "angry, happy, sad")
}

func TestEvaluateOnOtherImages(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "run")
	trainHead(t, train.HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: out})
	spec := runtest.Usual()
	spec.Data = "sha256:" + strings.Repeat("ef", 32)
	spec.Splits, spec.Rows = []string{"val", "test"}, map[string]int{"val": 20, "test": 30}
	other := runtest.Store(t, t.TempDir(), spec)
	predictions := filepath.Join(dir, "predictions")
	e, err := judge.Evaluate(context.Background(), judge.Config{Run: out, Embeddings: other, Predictions: predictions})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Reports) != 2 || e.Reports[0].Split != "val" || e.Reports[1].Total != 30 {
		t.Errorf("reports %+v, want val and test", e.Reports)
	}
	if len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "other images") {
		t.Errorf("notes %q, want one on other images", e.Notes)
	}
	if !exists(filepath.Join(predictions, "predictions-test.csv")) || exists(filepath.Join(out, "predictions-test.csv")) {
		t.Error("predictions belong into the folder that was named, not into the run")
	}
}

func TestEvaluateNamesUnknownSplitsAndLostStores(t *testing.T) {
	dir := t.TempDir()
	out, embeddings := filepath.Join(dir, "run"), runtest.Store(t, dir, runtest.Usual())
	trainHead(t, train.HeadConfig{Embeddings: embeddings, Out: out})
	_, err := judge.Evaluate(context.Background(), judge.Config{Run: out, Splits: []string{"exam"}})
	runtest.WantError(t, err, `"exam"`, "public-test")
	e, err := judge.Evaluate(context.Background(), judge.Config{Run: out})
	if err != nil || len(e.Reports) != 1 || e.Reports[0].Split != dataset.PublicTest {
		t.Errorf("default splits gave %+v (%v), want public-test", e.Reports, err)
	}
	if err := os.Rename(embeddings, embeddings+"-moved"); err != nil {
		t.Fatal(err)
	}
	_, err = judge.Evaluate(context.Background(), judge.Config{Run: out})
	runtest.WantError(t, err, embeddings, "--embeddings")
}

func TestMetricsOfNothingAreAnEmptyList(t *testing.T) {
	dir := t.TempDir()
	spec := runtest.Usual()
	spec.Splits, spec.Rows = []string{"train"}, map[string]int{"train": 90}
	out := filepath.Join(dir, "run")
	trainHead(t, train.HeadConfig{Embeddings: runtest.Store(t, dir, spec), Out: out})
	data, err := os.ReadFile(filepath.Join(out, "metrics.json"))
	var list []any
	if err != nil || json.Unmarshal(data, &list) != nil || list == nil || len(list) != 0 {
		t.Errorf("%s holds %q (%v), want an empty list", "metrics.json", data, err)
	}
	_, err = judge.Evaluate(context.Background(), judge.Config{Run: out})
	runtest.WantError(t, err, "--split train")
}
