package compare_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/internal/runtest"
	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/finetune/train"
)

// repeated trains heads below out, by seeds or folds.
func repeated(t *testing.T, store, out string, taps []string, r train.Repeats) *run.Summary {
	t.Helper()
	training, err := train.HeadConfig{Embeddings: store, Out: out, Taps: taps, Seed: 1}.Check()
	if err != nil {
		t.Fatal(err)
	}
	all, err := training.Repeat(t.Context(), r, train.Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return &all.Summary
}

func TestSeveralRunsAreOneEntry(t *testing.T) {
	dir := t.TempDir()
	store := runtest.Store(t, dir, runtest.Usual())
	summary := repeated(t, store, dir+"/seeds", []string{"cls"}, train.Repeats{Seeds: 3})
	single := filepath.ToSlash(dir + "/seeds/seed-2")
	list, err := compare.Read(context.Background(), []string{dir + "/seeds", single})
	if err != nil {
		t.Fatal(err)
	}
	c := list[0]
	if len(list) != 2 || !strings.HasSuffix(c.Model, "3 seeds") || len(c.Reports) != 6 || c.Reports[5].Run != dir+"/seeds/seed-3" || len(c.History) != 0 {
		t.Errorf("the entry is %+v", c)
	}
	text := string(compare.Markdown(list))
	accuracy := summary.Splits[0].Figures["accuracy"]
	for _, want := range []string{fmt.Sprintf("%.1f ± %.1f%%", 100*accuracy.Mean, 100*accuracy.Deviation), "| seeds | seed-2 |",
		"one run and several; name one of those", "| overall |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	data, err := json.Marshal(list)
	if err != nil || strings.Count(string(data), `"summary":[{"split":"public-test","figures":{"accuracy":{"runs":3,`) != 1 {
		t.Errorf("JSON %s (%v)", data, err)
	}
}

// Two settings of several seeds each are told apart by Welch's test of their accuracies.
func TestSeedsAreTested(t *testing.T) {
	dir := t.TempDir()
	store := runtest.Store(t, dir, runtest.Usual())
	repeated(t, store, dir+"/cls", []string{"cls"}, train.Repeats{Seeds: 3})
	repeated(t, store, dir+"/both", nil, train.Repeats{Seeds: 2})
	list, err := compare.Read(context.Background(), []string{dir + "/cls", dir + "/both"})
	if err != nil {
		t.Fatal(err)
	}
	of := func(c compare.Comparison, split string) compare.Test {
		return c.Tests[slices.IndexFunc(c.Tests, func(t compare.Test) bool { return t.Split == split && t.Rows == compare.RowsAll })]
	}
	for _, split := range []string{"public-test", "private-test"} {
		var accuracies [2][]float64
		for at, c := range list {
			for _, r := range c.Reports {
				if r.Split == split {
					accuracies[at] = append(accuracies[at], r.Accuracy)
				}
			}
		}
		want := metrics.CompareSamples([]metrics.Samples{{This: accuracies[0], Other: accuracies[1]}})[0]
		if got := of(list[0], split); got.Discordant != nil || *got.Contrast != want || got.Runs[0] != 3 {
			t.Errorf("%s: test %+v, want %+v", split, got, want)
		}
		if got := of(list[1], split); *got.Contrast != want.Turned() || got.Runs[0] != 2 {
			t.Errorf("%s, turned: %+v", split, got)
		}
	}
	if text := string(compare.Markdown(list)); !strings.Contains(text, "| all, 3 and 2 runs |") {
		t.Errorf("no runs counted in\n%s", text)
	}
}

// Two cross-validations have judged the same rows of train, one by one.
func TestCrossValidationsAreTested(t *testing.T) {
	dir := t.TempDir()
	store := runtest.Store(t, dir, runtest.Usual())
	repeated(t, store, dir+"/cls", []string{"cls"}, train.Repeats{Folds: 3})
	repeated(t, store, dir+"/both", []string{"cls", "mean"}, train.Repeats{Folds: 4})
	list, err := compare.Read(context.Background(), []string{dir + "/cls", dir + "/both"})
	if err != nil {
		t.Fatal(err)
	}
	var got *compare.Test
	for i, one := range list[0].Tests {
		if one.Split == run.ByFold {
			got = &list[0].Tests[i]
		}
	}
	if got == nil || got.Discordant == nil || got.Total != 240 || got.Rows != compare.RowsAll {
		t.Fatalf("tests %+v, want one on all of train", list[0].Tests)
	}
	right := map[string]int{}
	for _, c := range list {
		for _, r := range c.Reports {
			if r.Split == run.ByFold {
				right[c.Run] += r.Correct
			}
		}
	}
	if difference := right[list[0].Run] - right[list[1].Run]; got.OnlyThis-got.OnlyOther != difference {
		t.Errorf("%d and %d alone, want a difference of %d", got.OnlyThis, got.OnlyOther, difference)
	}
	if text := string(compare.Markdown(list)); !strings.Contains(text, "**Accuracy on fold**") {
		t.Errorf("no accuracy on the folds in\n%s", text)
	}
}
