package train

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
)

func checkedHead(t *testing.T, c HeadConfig) HeadTraining {
	t.Helper()
	training, err := c.Check()
	if err != nil {
		t.Fatal(err)
	}
	return training
}

func repeatUsual(t *testing.T, training interface {
	Repeat(context.Context, Repeats, Observer) (Repeated, error)
}, r Repeats, o Observer) Repeated {
	t.Helper()
	all, err := training.Repeat(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The runs of several seeds are those that each seed trains alone, to the bit, whatever
// they share; and what is finished stays.
func TestSeedsOfHeads(t *testing.T) {
	for _, recipe := range []string{run.RecipeLBFGS, run.RecipeStudy} {
		dir := t.TempDir()
		store := runtest.Store(t, dir, runtest.Usual())
		c := HeadConfig{Embeddings: store, Out: filepath.Join(dir, "runs"), Recipe: recipe, UseFlip: true, Seed: 3}
		all := repeatUsual(t, checkedHead(t, c), Repeats{Seeds: 2}, Observer{})
		if got := all.Summary; strings.Join(got.Runs, " ") != "seed-3 seed-4" || len(all.Reports) != 4 || got.Splits[0].Figures["accuracy"].Runs != 2 {
			t.Errorf("%s: summary %+v of %d reports", recipe, got, len(all.Reports))
		}
		for seed, name := range map[uint64]string{3: "seed-3", 4: "seed-4"} {
			alone := c
			alone.Seed, alone.Out = seed, filepath.Join(dir, "alone-"+name)
			trainUsual(t, alone)
			if !bytes.Equal(weightsOf(t, alone.Out), weightsOf(t, filepath.Join(c.Out, name))) {
				t.Errorf("%s, seed %d: other weights than alone", recipe, seed)
			}
		}
		var said []string
		more := repeatUsual(t, checkedHead(t, c), Repeats{Seeds: 3}, Observer{Log: func(line string) { said = append(said, line) }})
		finished := 0
		for _, line := range said {
			if strings.HasSuffix(line, "is finished") {
				finished++
			}
		}
		if finished != 2 || strings.Join(more.Summary.Runs, " ") != "seed-3 seed-4 seed-5" || len(more.Reports) != 6 {
			t.Errorf("%s: %d runs were finished, want 2; then %v", recipe, finished, more.Summary.Runs)
		}
		c.Taps = []string{"cls"}
		_, err := checkedHead(t, c).Repeat(t.Context(), Repeats{Seeds: 3}, Observer{})
		runtest.WantError(t, err, "runs of other settings", `taps was "cls,mean" and now is "cls"`, "--force")
		c.Force = true
		if all := repeatUsual(t, checkedHead(t, c), Repeats{Seeds: 2}, Observer{}); len(all.Summary.Runs) != 2 || exists(filepath.Join(c.Out, "seed-5")) {
			t.Errorf("%s: replaced by %v", recipe, all.Summary.Runs)
		}
	}
}

// Each row of train is judged once, by the run that did not learn from it.
func TestFoldsOfHeads(t *testing.T) {
	for _, recipe := range []string{run.RecipeLBFGS, run.RecipeStrong} {
		dir := t.TempDir()
		c := HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: filepath.Join(dir, "runs"), Recipe: recipe, UseFlip: true, Seed: 2}
		if recipe != run.RecipeLBFGS {
			d, err := NewHeadDescent(recipe)
			if err != nil {
				t.Fatal(err)
			}
			d.Fit.Epochs, c.Descent = 2, d
		}
		all := repeatUsual(t, checkedHead(t, c), Repeats{Folds: 3}, Observer{})
		seen := checkFolds(t, c.Out, 3, 240)
		if len(seen) != 240 {
			t.Errorf("%s: %d rows of 240 were judged", recipe, len(seen))
		}
		for _, s := range all.Summary.Splits {
			if s.Figures["accuracy"].Runs != 3 {
				t.Errorf("%s: split %s is of %d runs, want 3", recipe, s.Split, s.Figures["accuracy"].Runs)
			}
		}
		if len(all.Summary.Splits) != 3 {
			t.Errorf("%s: splits %+v, want two tests and the folds", recipe, all.Summary.Splits)
		}
	}
}

// checkFolds returns the ids judged, no row twice, and wants each run to have learned
// from the others.
func checkFolds(t *testing.T, out string, folds, rows int) (seen []string) {
	t.Helper()
	for k := range folds {
		name := run.Summary{By: run.ByFold}.Name(uint64(k) + 1)
		dir := filepath.Join(out, name)
		config, err := run.ReadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		lines := runtest.ReadCSV(t, filepath.Join(dir, "predictions-"+name+".csv"))[1:]
		samples := config.Head.Samples / 2 // both views
		if config.Training != nil {
			samples = config.Training.Samples
		}
		if config.Fold != name || samples != rows-len(lines) {
			t.Errorf("%s: trained on %d rows, want %d without the %d of the fold %q", name, samples, rows-len(lines), len(lines), config.Fold)
		}
		for _, line := range lines {
			if slices.Contains(seen, line[1]) {
				t.Errorf("%s judges %s again", name, line[1])
			}
			seen = append(seen, line[1])
		}
	}
	return seen
}

func TestRepeatsAreRefused(t *testing.T) {
	dir := t.TempDir()
	c := HeadConfig{Embeddings: runtest.Store(t, dir, runtest.Usual()), Out: filepath.Join(dir, "runs")}
	for want, r := range map[string]Repeats{"want one of them": {Seeds: 2, Folds: 2}, "want 2 or more": {Folds: 1}, "500 folds of 240 rows": {Folds: 500}} {
		_, err := checkedHead(t, c).Repeat(t.Context(), r, Observer{})
		runtest.WantError(t, err, want)
	}
	c.Lambda = new(0.1)
	_, err := checkedHead(t, c).Repeat(t.Context(), Repeats{Seeds: 2}, Observer{})
	runtest.WantError(t, err, "lambda 0.1 given", "equal")
}

// An interrupted cross-validation of networks goes on where it was, and ends as an
// unbroken one.
func TestFoldsOfNetworksGoOn(t *testing.T) {
	dir := t.TempDir()
	config := func(out string) NetTraining {
		c, err := NewNetConfig(nets.KindCNN, run.RecipeStudy)
		if err != nil {
			t.Fatal(err)
		}
		c.Data = dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
		c.Out, c.Fit.Epochs, c.Fit.Threads, c.Fit.Seed = filepath.Join(dir, out), 2, 1, 5
		training, err := c.Check()
		if err != nil {
			t.Fatal(err)
		}
		return training
	}
	repeatUsual(t, config("unbroken"), Repeats{Folds: 2}, Observer{})
	ctx, cancel := context.WithCancel(t.Context())
	epochs := 0
	_, err := config("broken").Repeat(ctx, Repeats{Folds: 2}, Observer{Log: func(line string) {
		if strings.HasPrefix(line, "epoch") {
			if epochs++; epochs == 3 { // of the second fold's two
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if seen, err := run.ReadSummary(filepath.Join(dir, "broken")); err != nil || len(seen.Runs) != 1 {
		t.Errorf("after the interruption: %+v, %v; want one run", seen, err)
	}
	var said []string
	all := repeatUsual(t, config("broken"), Repeats{Folds: 2}, Observer{Log: func(line string) { said = append(said, line) }})
	if text := strings.Join(said, "\n"); !strings.Contains(text, "fold-1 is finished") || !strings.Contains(text, "going on after epoch 1") || len(all.Summary.Runs) != 2 {
		t.Errorf("gone on with:\n%s\n%+v", text, all.Summary)
	}
	for _, name := range []string{"fold-1", "fold-2"} {
		if !bytes.Equal(weightsOf(t, filepath.Join(dir, "unbroken", name)), weightsOf(t, filepath.Join(dir, "broken", name))) {
			t.Errorf("%s: other weights than of an unbroken training", name)
		}
	}
	if seen := checkFolds(t, filepath.Join(dir, "broken"), 2, 84); len(seen) != 84 {
		t.Errorf("%d images of 84 were judged", len(seen))
	}
}

// Groups of the user's own draw other folds and hold-outs: they are part of the settings.
func TestGroupsAreASettingOfNetworks(t *testing.T) {
	c, err := NewNetConfig(nets.KindCNN, run.RecipeStudy)
	if err != nil {
		t.Fatal(err)
	}
	c.Data.GroupBy = "^(.)"
	n := networks{c: c, net: c.Net}
	settings, err := n.settings()
	if err != nil || settings["group by"] != "^(.)" || settings["learning_rate"] != "0.0001" || settings["recipe"] != run.RecipeStudy || settings["seed"] != "0" {
		t.Errorf("settings %v, %v", settings, err)
	}
}
