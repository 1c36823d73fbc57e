package judge_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/load"
	"graft/finetune/model"
	"graft/finetune/run"
	"graft/finetune/ship"
	"graft/finetune/train"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

var drawn = dataset.Ref{Path: dataset.SyntheticPath, Seed: 3, PerClass: 6}

// trainedOnFaces extracts the drawn faces in batches of a size and trains a head.
func trainedOnFaces(t *testing.T, batch int, flip bool) (dir, embeddings, backbone string) {
	t.Helper()
	folder := t.TempDir()
	backbone, embeddings, dir = vittest.WriteTiny(t, folder), filepath.Join(folder, "embeddings"), filepath.Join(folder, "run")
	b, err := pretrained.Open(t.Context(), backbone, pretrained.Options{Runtime: session.Options{Provider: session.CPU}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d, err := dataset.Open(context.Background(), drawn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = extract.Run(context.Background(), extract.Config{Data: d, Backbone: b, Out: embeddings, Taps: []string{"all"}, Flip: flip, Batch: batch}, nil)
	if err != nil {
		t.Fatal(err)
	}
	trainHead(t, train.HeadConfig{Embeddings: embeddings, Out: dir, Taps: []string{"cls", "mean_1"}, UseFlip: flip})
	return dir, embeddings, backbone
}

// TestStraightFromImages compares logits from images with those from a store
// whose batches were as large, 42 faces of train being whole batches.
func TestStraightFromImages(t *testing.T) {
	orttest.Require(t)
	const batch = 7
	for _, flip := range []bool{false, true} {
		dir, embeddings, _ := trainedOnFaces(t, batch, flip)
		r, err := run.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(embeddings)
		if err != nil {
			t.Fatal(err)
		}
		e, err := model.Evaluator(r, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := model.OpenRun(t.Context(), r, model.Options{Runtime: session.Options{Provider: session.CPU}}, batch)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d, err := dataset.Open(context.Background(), drawn, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, split := range []string{"train", "public-test", "private-test"} {
			samples, rows, err := load.Store{Store: s, Head: r.Config.Head}.Load(context.Background(), split)
			if err != nil {
				t.Fatal(err)
			}
			want, err := e.Logits(context.Background(), samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			var images []preprocess.Image
			for _, i := range rows.Indices {
				im, err := d.Image(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				images = append(images, p.Prepare(im))
			}
			got := make([]float32, len(want))
			if err := p.Classify(context.Background(), images, got); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				// The store was made with more taps than the head reads, and sums of float32 in another order.
				if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5) {
					t.Errorf("flip %v, %s: logit %d is %g straight from the images, %g from the store", flip, split, i, got[i], want[i])
				}
			}
		}
	}
}

func TestEvaluateImages(t *testing.T) {
	orttest.Require(t)
	dir, embeddings, backbone := trainedOnFaces(t, 16, true)
	options := model.Options{Runtime: session.Options{Provider: session.CPU}}
	splits := []string{"public-test", "train"}
	want, err := judge.Evaluate(context.Background(), judge.Config{Run: dir, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	file, photos := filepath.Join(t.TempDir(), "whole.onnx"), filepath.Join(t.TempDir(), "photos.onnx")
	for out, whole := range map[string]bool{file: false, photos: true} {
		if _, err := ship.Export(t.Context(), ship.Config{Run: dir, Out: out, Whole: whole}); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range []string{dir, file, photos} {
		predictions := t.TempDir()
		got, err := judge.Evaluate(context.Background(), judge.Config{Run: one, Data: drawn, Options: options, Splits: splits, Batch: 5, Predictions: predictions})
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range got.Reports {
			w := want.Reports[i]
			if g.Split != w.Split || g.Correct != w.Correct || g.Total != w.Total || !(math.Abs(g.Loss-w.Loss) <= 1e-5) {
				t.Errorf("%s: %+v, from the store %+v", one, g, w)
			}
			if rows := runtest.ReadCSV(t, filepath.Join(predictions, "predictions-"+g.Split+".csv")); len(rows) != 1+g.Total {
				t.Errorf("%d lines of predictions for %d images", len(rows), g.Total)
			}
		}
		if strings.Join(got.Notes, "|") != strings.Join(want.Notes, "|") {
			t.Errorf("%s: notes %q, want %q", one, got.Notes, want.Notes)
		}
	}
	other := drawn
	other.Seed++
	if e, err := judge.Evaluate(context.Background(), judge.Config{Run: dir, Data: other, Options: options}); err != nil || !strings.Contains(strings.Join(e.Notes, " "), "other images") {
		t.Errorf("notes %q (%v), want one on other images", e.Notes, err)
	}
	for _, c := range []struct {
		config judge.Config
		want   []string
	}{
		{judge.Config{Run: dir, Data: drawn, Embeddings: embeddings}, []string{"both"}},
		{judge.Config{Run: dir, Data: drawn, Options: model.Options{Model: file}}, []string{"SHA-256", "made with"}},
		{judge.Config{Run: dir, Data: drawn, Options: options, Splits: []string{"exam"}}, []string{"exam", "public-test"}},
		{judge.Config{Run: dir, Data: dataset.Ref{Path: runtest.Pictures(t, false)}, Options: options}, []string{"cat, dog", "wanted are angry"}},
		{judge.Config{Run: file}, []string{"--data"}},
		{judge.Config{Run: file, Data: drawn, Embeddings: embeddings}, []string{"not on embeddings"}},
		{judge.Config{Run: backbone, Data: drawn}, []string{"graft export"}},
	} {
		_, err := judge.Evaluate(context.Background(), c.config)
		runtest.WantError(t, err, c.want...)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := judge.Evaluate(ctx, judge.Config{Run: dir, Data: drawn, Options: options}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
