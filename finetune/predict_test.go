package finetune

import (
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx/ort"
	"graft/onnx/ort/orttest"
	"graft/preprocess"
	"graft/pretrained/vit/vittest"
)

// fixed is a classifier whose logits are always the same.
type fixed []float32

func (f fixed) prepare(im preprocess.Image) preprocess.Image { return im }

func (f fixed) classify(_ context.Context, images []preprocess.Image, logits []float32) error {
	for i := range images {
		copy(logits[i*len(f):], f)
	}
	return nil
}

func (f fixed) together() int { return 8 }

func (f fixed) Close() error { return nil }

func writePNG(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, testImages()[0].ToImage()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesGoesOnAfterAFailure(t *testing.T) {
	dir := t.TempDir()
	good, last := writePNG(t, dir, "a.png"), writePNG(t, dir, "b.png")
	text := filepath.Join(dir, "text.jpg")
	if err := os.WriteFile(text, []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.png")
	p := &Predictor{labels: []string{"a", "b", "c"}, model: fixed{0, float32(math.Ln2), 0}}
	told := 0
	list, err := p.Files(context.Background(), []string{good, dir, text, missing, last}, 2, func(Prediction) { told++ })
	wantError(t, err, "3 of 5 files")
	if len(list) != 5 || told != 5 {
		t.Fatalf("%d predictions, %d told, want 5", len(list), told)
	}
	for i, path := range []string{dir, text, missing} {
		if one := list[i+1]; one.Label != "" || !strings.Contains(one.Error, path) {
			t.Errorf("prediction %+v, want an error that names %s", one, path)
		}
	}
	for _, i := range []int{0, 4} {
		if one := list[i]; one.Error != "" || one.Label != "b" || len(one.Scores) != 2 || one.Scores[1] != (Score{"a", 0.25}) {
			t.Errorf("prediction %+v, want b before a", one)
		}
	}
}

func TestFilesStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := &Predictor{labels: []string{"a", "b"}, model: fixed{0.5, 0.5}}
	list, err := p.Files(ctx, []string{writePNG(t, t.TempDir(), "a.png")}, 0, func(Prediction) {})
	if list != nil || err != context.Canceled {
		t.Errorf("got %v, %v, want no list and context.Canceled", list, err)
	}
}

func TestOpenPredictorRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenPredictor(filepath.Join(dir, "none"), PredictorOptions{})
	wantError(t, err, "none")
	_, err = OpenPredictor(dir, PredictorOptions{})
	wantError(t, err, "no run folder")
	text := filepath.Join(dir, "x.onnx")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = OpenPredictor(text, PredictorOptions{})
	wantError(t, err, text)
	_, err = OpenPredictor(text, PredictorOptions{Model: "other.onnx"})
	wantError(t, err, "own backbone")
	_, err = OpenPredictor(vittest.WriteTiny(t, dir), PredictorOptions{})
	wantError(t, err, keyLabels, "graft export")
}

func TestPredictorComparesPreprocessing(t *testing.T) {
	orttest.Require(t)
	run := makeRun(t, vittest.WriteTiny(t, t.TempDir()), nil, []string{"cls"}, false)
	c, err := readConfig(run)
	if err != nil {
		t.Fatal(err)
	}
	c.Backbone.Preprocessing = "in the graph: otherwise"
	if err := writeConfig(run, c); err != nil {
		t.Fatal(err)
	}
	_, err = OpenPredictor(run, PredictorOptions{Runtime: ort.Options{Provider: ort.CPU}})
	wantError(t, err, "preprocessing differs", "otherwise")
}

// TestPieces: which images share an inference does not depend on how many run at
// once, and one that fails ends them.
func TestPieces(t *testing.T) {
	for _, atOnce := range []int{1, 2, 5} {
		seen := make([]int, 7)
		err := pieces{2, atOnce}.each(context.Background(), len(seen), func(_ context.Context, lo, hi int) error {
			for i := lo; i < hi; i++ {
				seen[i] = lo
			}
			return nil
		})
		if want := []int{0, 0, 2, 2, 4, 4, 6}; err != nil || !slices.Equal(seen, want) {
			t.Errorf("%d at once: pieces begin at %v, want %v (%v)", atOnce, seen, want, err)
		}
	}
	broken := errors.New("out of memory")
	err := pieces{2, 3}.each(context.Background(), 7, func(_ context.Context, lo, _ int) error {
		if lo == 4 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("a failing piece: %v", err)
	}
}
