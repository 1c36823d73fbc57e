package finetune

import (
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/ort"
	"graft/onnx/ort/orttest"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

var drawn = DataOptions{Path: dataset.SyntheticPath, Seed: 3, PerClass: 6}

// trainedOnFaces extracts the drawn faces in batches of a size and trains a head.
func trainedOnFaces(t *testing.T, batch int, flip bool) (run, embeddings, model string) {
	t.Helper()
	dir := t.TempDir()
	model, embeddings, run = vittest.WriteTiny(t, dir), filepath.Join(dir, "embeddings"), filepath.Join(dir, "run")
	b, err := pretrained.Open(model, pretrained.Options{Runtime: ort.Options{Provider: ort.CPU}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d, err := drawn.open(context.Background(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = extract.Run(context.Background(), extract.Config{Data: d, Backbone: b, Out: embeddings, Taps: []string{"all"}, Flip: flip, Batch: batch}, nil)
	if err != nil {
		t.Fatal(err)
	}
	trainUsual(t, HeadConfig{Embeddings: embeddings, Out: run, Taps: []string{"cls", "mean_1"}, UseFlip: flip})
	return run, embeddings, model
}

// TestStraightFromImages compares logits from images with those from a store
// whose batches were as large, 42 faces of train being whole batches.
func TestStraightFromImages(t *testing.T) {
	orttest.Require(t)
	const batch = 7
	for _, flip := range []bool{false, true} {
		run, embeddings, _ := trainedOnFaces(t, batch, flip)
		r, err := OpenRun(run)
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(embeddings)
		if err != nil {
			t.Fatal(err)
		}
		e, err := r.evaluator(batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.predictor(PredictorOptions{Runtime: ort.Options{Provider: ort.CPU}}, batch)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d, err := drawn.open(context.Background(), false, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, split := range []string{"train", "public-test", "private-test"} {
			samples, rows, err := storeSource{r, s}.load(context.Background(), split)
			if err != nil {
				t.Fatal(err)
			}
			want, err := e.Logits(context.Background(), samples, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, bad, err := stream{model: p.model, data: d, batch: batch, classes: 7}.answers(context.Background(), split)
			if err != nil || bad != "" || len(got.logits) != len(want) {
				t.Fatalf("%s: %d logits, want %d; %q, %v", split, len(got.logits), len(want), bad, err)
			}
			for i := range want {
				// The store was made with more taps than the head reads, and sums of float32 in another order.
				if d := math.Abs(float64(got.logits[i] - want[i])); !(d <= 1e-5) {
					t.Errorf("flip %v, %s: logit %d is %g straight from the images, %g from the store", flip, split, i, got.logits[i], want[i])
				}
			}
			if strings.Join(got.ids, " ") != strings.Join(rows.ids, " ") {
				t.Errorf("%s: other rows than the store's", split)
			}
		}
	}
}

func TestEvaluateImages(t *testing.T) {
	orttest.Require(t)
	run, embeddings, model := trainedOnFaces(t, 16, true)
	options := PredictorOptions{Runtime: ort.Options{Provider: ort.CPU}}
	splits := []string{"public-test", "train"}
	want, err := Evaluate(context.Background(), EvalConfig{Run: run, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "whole.onnx")
	if _, err := Export(ExportConfig{Run: run, Out: file}); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{run, file} {
		predictions := t.TempDir()
		got, err := Evaluate(context.Background(), EvalConfig{Run: one, Data: drawn, Options: options, Splits: splits, Batch: 5, Predictions: predictions})
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range got.Reports {
			w := want.Reports[i]
			if g.Split != w.Split || g.Correct != w.Correct || g.Total != w.Total || !(math.Abs(g.Loss-w.Loss) <= 1e-5) {
				t.Errorf("%s: %+v, from the store %+v", one, g, w)
			}
			if rows := readCSV(t, predictionsPath(predictions, g.Split)); len(rows) != 1+g.Total {
				t.Errorf("%d lines of predictions for %d images", len(rows), g.Total)
			}
		}
		if strings.Join(got.Notes, "|") != strings.Join(want.Notes, "|") {
			t.Errorf("%s: notes %q, want %q", one, got.Notes, want.Notes)
		}
	}
	other := drawn
	other.Seed++
	if e, err := Evaluate(context.Background(), EvalConfig{Run: run, Data: other, Options: options}); err != nil || !strings.Contains(strings.Join(e.Notes, " "), "other images") {
		t.Errorf("notes %q (%v), want one on other images", e.Notes, err)
	}
	for _, c := range []struct {
		config EvalConfig
		want   []string
	}{
		{EvalConfig{Run: run, Data: drawn, Embeddings: embeddings}, []string{"both"}},
		{EvalConfig{Run: run, Data: drawn, Options: PredictorOptions{Model: file}}, []string{"SHA-256", "made with"}},
		{EvalConfig{Run: run, Data: drawn, Options: options, Splits: []string{"exam"}}, []string{"exam", "public-test"}},
		{EvalConfig{Run: run, Data: DataOptions{Path: pictures(t, false)}, Options: options}, []string{"cat, dog", "wants angry"}},
		{EvalConfig{Run: file}, []string{"--data"}},
		{EvalConfig{Run: file, Data: drawn, Embeddings: embeddings}, []string{"not on embeddings"}},
		{EvalConfig{Run: model, Data: drawn}, []string{"graft export"}},
	} {
		_, err := Evaluate(context.Background(), c.config)
		wantError(t, err, c.want...)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Evaluate(ctx, EvalConfig{Run: run, Data: drawn, Options: options}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// pictures is a folder of two classes, with one file that is no image if asked.
func pictures(t *testing.T, bad bool) string {
	t.Helper()
	dir := t.TempDir()
	for i, im := range testImages() {
		path := filepath.Join(dir, "val", []string{"cat", "dog"}[i%2], string(rune('a'+i))+".png")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if bad && i == 2 {
			_, err = f.WriteString("\x89PNG\r\n\x1a\nnot really")
		} else {
			err = png.Encode(f, im.ToImage())
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBadImagesAreLeftOut(t *testing.T) {
	d, err := dataset.Open(context.Background(), pictures(t, true), dataset.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := stream{model: fixed{1, 0}, data: d, batch: 2, classes: 2}
	a, bad, err := s.answers(context.Background(), "val")
	if err != nil || len(a.labels) != 3 || len(a.probs) != 6 || !strings.Contains(bad, "1 of the 4 images") || !strings.Contains(bad, "c.png") {
		t.Errorf("answers %+v, note %q, %v", a, bad, err)
	}
}
