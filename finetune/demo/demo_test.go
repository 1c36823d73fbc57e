package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/run"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess/dataset"
	"graft/pretrained/vit/vittest"
)

func small(t *testing.T, weights string) (Config, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return Config{Out: filepath.Join(t.TempDir(), "work"), Weights: weights, Seed: 3, Data: dataset.Ref{PerClass: 12, Seed: 5},
		Runtime: session.Options{Provider: session.CPU}, Version: "test", Output: &out}, &out
}

func TestDemoGoesThroughAndGoesOn(t *testing.T) {
	orttest.Require(t)
	c, out := small(t, vittest.WriteTiny(t, t.TempDir()))
	first, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{first.Backbone, first.Embeddings, first.Run, first.Model, first.Image} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if len(first.Reports) != 2 || first.Reports[0].Split != "public-test" || len(first.Prediction.Scores) != 7 {
		t.Errorf("reports %+v, prediction %+v", first.Reports, first.Prediction)
	}
	// The tiny network is a random one, and that must be said.
	if *first.Pretrained || !strings.Contains(out.String(), "No pretrained weights were used") {
		t.Errorf("pretrained is %v; the output must say in plain words that the weights are random:\n%s", first.Pretrained, out)
	}
	out.Reset()
	second, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "from an earlier run: 140 images") {
		t.Errorf("the second demo did not go on with the first's embeddings:\n%s", out)
	}
	if first.Reports[0].Loss != second.Reports[0].Loss {
		t.Errorf("losses %g and %g, want equal ones", first.Reports[0].Loss, second.Reports[0].Loss)
	}
}

// Without weights and without a network it is the one that graft brings, and its three ways to the same task stand side
// by side, judged on the same rows.
func TestDemoOfTheMini(t *testing.T) {
	orttest.Require(t)
	c, out := small(t, "")
	c.Offline = true
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Notes[0], "never on an expression") || r.Pretrained == nil || !*r.Pretrained {
		t.Errorf("notes %q, pretrained %v", r.Notes, r.Pretrained)
	}
	if len(r.Ways) != 3 {
		t.Fatalf("ways %+v, want frozen, unfrozen and from scratch", r.Ways)
	}
	for i, way := range r.Ways {
		if len(way.Reports) != 2 || way.Reports[0].Total != r.Reports[0].Total || i > 0 && way.Trained <= r.Ways[i-1].Trained && i < 2 {
			t.Errorf("%s: %d trained, reports %+v", way.Name, way.Trained, way.Reports)
		}
		if _, err := os.Stat(filepath.Join(way.Run, "config.json")); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), way.Name) {
			t.Errorf("the output has no %s:\n%s", way.Name, out)
		}
	}
	if note := strings.Join(readConfig(t, r.Ways[2].Run).Notes, " "); !strings.Contains(note, "drawn at random") {
		t.Errorf("the run from scratch does not say so: %q", note)
	}
}

func readConfig(t *testing.T, folder string) run.Config {
	t.Helper()
	c, err := run.ReadConfig(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDemoStopsWhenInterrupted(t *testing.T) {
	orttest.Require(t)
	c, _ := small(t, vittest.WriteTiny(t, t.TempDir()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestNamesOfFolders(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Data: dataset.Ref{Path: "/data/fer2013.tar.gz"}}, "fer2013"},
		{Config{Data: dataset.Ref{Path: "faces"}, Limit: 10}, "faces-limit10"},
		{Config{Data: dataset.Ref{Path: "synthetic", PerClass: 9, Seed: 2}}, "synthetic-9-seed2"},
	} {
		j := &job{Config: c.config}
		if got := j.dataName(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.config.Data.Path, got, c.want)
		}
	}
}
