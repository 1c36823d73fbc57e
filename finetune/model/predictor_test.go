package model

import (
	"context"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"graft/finetune/internal/runtest"
	"graft/preprocess"
	"graft/pretrained/vit/vittest"
)

// fixed is a classifier whose logits are always the same.
type fixed []float32

func (f fixed) Prepare(im preprocess.Image) preprocess.Image { return im }

func (f fixed) Classify(_ context.Context, images []preprocess.Image, logits []float32) error {
	for i := range images {
		copy(logits[i*len(f):], f)
	}
	return nil
}

func (f fixed) BatchSize() int { return 8 }

func (f fixed) Close() error { return nil }

func writePNG(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, runtest.Images()[0].ToImage()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTemperatureOfPredictor(t *testing.T) {
	p := &Predictor{labels: []string{"a", "b"}, temperature: 2, Classifier: fixed{0, float32(2 * math.Log(3))}}
	one, err := p.File(t.Context(), writePNG(t, t.TempDir(), "a.png"))
	if err != nil || math.Abs(float64(one.Scores[0].Probability)-0.75) > 1e-6 {
		t.Errorf("%+v (%v), want b with 0.75", one, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(t.Context(), filepath.Join(dir, "none"), Options{})
	runtest.WantError(t, err, "none")
	_, err = Open(t.Context(), dir, Options{})
	runtest.WantError(t, err, "no run folder")
	text := filepath.Join(dir, "x.onnx")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), text, Options{})
	runtest.WantError(t, err, text)
	_, err = Open(t.Context(), text, Options{Model: "other.onnx"})
	runtest.WantError(t, err, "own backbone")
	_, err = Open(t.Context(), vittest.WriteTiny(t, dir), Options{})
	runtest.WantError(t, err, "graft.labels", "graft export")
}

// TestBatches: which images share an inference does not depend on how many run at
// once, and one that fails ends them.
func TestBatches(t *testing.T) {
	for _, atOnce := range []int{1, 2, 5} {
		seen := make([]int, 7)
		err := batches{2, atOnce}.each(context.Background(), len(seen), func(lo, hi int) error {
			for i := lo; i < hi; i++ {
				seen[i] = lo
			}
			return nil
		})
		if want := []int{0, 0, 2, 2, 4, 4, 6}; err != nil || !slices.Equal(seen, want) {
			t.Errorf("%d at once: batches begin at %v, want %v (%v)", atOnce, seen, want, err)
		}
	}
	broken := errors.New("out of memory")
	err := batches{2, 3}.each(context.Background(), 7, func(lo, _ int) error {
		switch lo {
		case 2: // the later one to say so
			time.Sleep(5 * time.Millisecond)
			return broken
		case 4:
			return errors.New("another")
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("a failing piece: %v", err)
	}
}
