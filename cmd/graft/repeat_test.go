package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/metrics"
)

func TestRepeats(t *testing.T) {
	dir := t.TempDir()
	nets := []string{"train", "cnn", "--data", "synthetic", "--per-class", "6", "--epochs", "1", "--threads", "1", "--out"}
	out := must(t, append(nets, dir+"/folds", "--folds", "3", "--seed", "2")...)
	for _, want := range []string{"3 runs, by fold", "public-test", "fold", "accuracy", " ± "} {
		if !strings.Contains(out, want) {
			t.Errorf("train printed no %q:\n%s", want, out)
		}
	}
	reports := decode[[]metrics.Report](t, must(t, append(nets, dir+"/seeds", "--seeds", "2", "--json", "-")...))
	if len(reports) != 4 || reports[3].Run != filepath.ToSlash(dir+"/seeds/seed-2") {
		t.Errorf("%d reports, want 2 of each seed", len(reports))
	}
	list := decode[[]compare.Comparison](t, must(t, "compare", dir+"/folds", dir+"/seeds", "--json", "-"))
	if len(list) != 2 || len(list[0].Summary) != 3 || len(list[1].Tests) == 0 {
		t.Errorf("compared %+v", list)
	}
	must(t, "eval", dir+"/seeds/seed-2")
	for _, args := range [][]string{{"eval", dir + "/seeds"}, {"predict", dir + "/seeds", "face.png"}, {"export", dir + "/seeds", "--out", dir + "/x.onnx"}} {
		app := newApp()
		err := app.RunContext(context.Background(), flagsFirst(app.Commands, append([]string{"graft"}, args...)))
		if err == nil || !strings.Contains(err.Error(), "several runs (seed-1, seed-2), want one of them") {
			t.Errorf("%v: error %v, want one that names the runs", args, err)
		}
	}
	heads := []string{"train", "head", "--embeddings", dir, "--out", dir + "/x"}
	for _, flags := range [][]string{{"--seeds", "1"}, {"--folds", "1"}, {"--seeds", "2", "--folds", "2"}, {"--seeds", "2", "--lambda", "1"}} {
		if code, out := graft(t, context.Background(), append(heads, flags...)...); code != exitUsage {
			t.Errorf("%v: exit status %d, want %d; says %q", flags, code, exitUsage, out)
		}
	}
}

// The commands to go on with have the run's name also where that was typed with a slash.
func TestNextOfSlash(t *testing.T) {
	run := filepath.Join(t.TempDir(), "x")
	_, log, err := runData(t, "train", "cnn", "--data", "synthetic", "--per-class", "6", "--epochs", "1", "--threads", "1", "--out", run+"/")
	if want := "graft export " + shellWord(run) + " --out " + shellWord(run) + ".onnx"; err != nil || !strings.Contains(log, want) {
		t.Errorf("%v, no %q:\n%s", err, want, log)
	}
}
