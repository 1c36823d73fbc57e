package judge_test

import (
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/atomicfile"
	"graft/preprocess/dataset"
	"graft/preprocess/synthetic"
)

// wantClean wants a report on so many rows that were not seen, and returns them.
func wantClean(t *testing.T, reports []metrics.Report, total int, basis string) {
	t.Helper()
	for _, r := range reports {
		switch {
		case r.Clean == nil:
			t.Errorf("%s: nothing is told of the rows that were not seen", r.Split)
		case r.Clean.Total != total || !strings.Contains(r.Clean.Basis, basis):
			t.Errorf("%s: %d rows not seen by %q, want %d by %q", r.Split, r.Clean.Total, r.Clean.Basis, total, basis)
		}
	}
}

// A head is judged twice: on all rows, and on those that train does not hold. The
// second is counted again from the predictions.
func TestCleanAccuracyOfAHead(t *testing.T) {
	dir, spec := t.TempDir(), runtest.Usual()
	spec.Copies = 12
	out := filepath.Join(dir, "run")
	trained, err := train.Head(t.Context(), train.HeadConfig{Embeddings: runtest.Store(t, dir, spec), Out: out}, train.Observer{})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, trained.Reports, 48, "trained on")
	seen, err := run.ReadSeen(out)
	if err != nil || len(seen) != 240 {
		t.Errorf("the run keeps %d images that it has seen, %v; want 240", len(seen), err)
	}
	e, err := judge.Evaluate(t.Context(), judge.Config{Run: out, Splits: []string{"private-test"}, Predictions: dir})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, e.Reports, 48, "trained on")
	p, err := run.ReadPredictions(dir, "private-test", spec.Classes)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, ok := range p.Right() {
		if p.Clean[i] && ok {
			right++
		}
		if p.Clean[i] != (i >= spec.Copies) {
			t.Errorf("row %d: clean %v", i, p.Clean[i])
		}
	}
	if c := e.Reports[0].Clean; c.Correct != right || *c.Accuracy != float64(right)/48 || c.Correct == e.Reports[0].Correct {
		t.Errorf("%d right of those not seen, want %d, and not all %d", c.Correct, right, e.Reports[0].Correct)
	}
}

// Where the run does not tell what it was trained on, train of what is judged counts,
// and the report says so; where the store does not know its images, nothing is said.
func TestCleanAccuracyWhereLittleIsKnown(t *testing.T) {
	dir, spec := t.TempDir(), runtest.Usual()
	spec.Copies = 7
	out, known := filepath.Join(dir, "run"), runtest.Store(t, dir, spec)
	trainHead(t, train.HeadConfig{Embeddings: known, Out: out})
	if err := os.Remove(filepath.Join(out, "seen.parquet")); err != nil {
		t.Fatal(err)
	}
	e, err := judge.Evaluate(t.Context(), judge.Config{Run: out})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, e.Reports, 53, "train of what is judged")
	spec.Old = true
	old := runtest.Store(t, t.TempDir(), spec)
	if e, err = judge.Evaluate(t.Context(), judge.Config{Run: out, Embeddings: old}); err != nil {
		t.Fatal(err)
	}
	if e.Reports[0].Clean != nil || !slices.ContainsFunc(e.Notes, func(n string) bool { return strings.Contains(n, "not known which images") }) {
		t.Errorf("of an old store %+v is told, notes %q", e.Reports[0].Clean, e.Notes)
	}
	if _, err := train.Head(t.Context(), train.HeadConfig{Embeddings: old, Out: filepath.Join(dir, "old")}, train.Observer{}); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(out, "seen.parquet"), []byte("PAR1PAR1"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = judge.Evaluate(t.Context(), judge.Config{Run: out})
	runtest.WantError(t, err, "seen.parquet")
}

// facesWithCopies is a folder of drawn faces, 14 in train and 10 in test, of which 3 are
// train's turned left to right.
func facesWithCopies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(split string, i, face int) {
		im := synthetic.Face(4, uint64(face), i%2)
		if face < 14 && split == "test" {
			im = im.Mirror()
		}
		path := filepath.Join(dir, split, []string{"angry", "happy"}[i%2], string(rune('a'+i))+".png")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := atomicfile.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Abort()
		if err := png.Encode(f, im.ToImage()); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 14 {
		write("train", i, i)
	}
	for i := range 10 {
		face := 20 + i
		if i < 3 {
			face = i
		}
		write("test", i, face)
	}
	return dir
}

// A network and the images straight from a folder are judged by the same rule, near
// duplicates included.
func TestCleanAccuracyOfANetwork(t *testing.T) {
	data, dir := facesWithCopies(t), t.TempDir()
	c, err := train.NewNetConfig("cnn", run.RecipeStudy)
	if err != nil {
		t.Fatal(err)
	}
	c.Data, c.Out, c.Fit.Epochs = dataset.Ref{Path: data}, filepath.Join(dir, "cnn"), 1
	trained, err := train.Net(t.Context(), c, train.Observer{})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, trained.Reports, 7, "trained on")
	if err := os.Remove(filepath.Join(c.Out, "seen.parquet")); err != nil {
		t.Fatal(err)
	}
	e, err := judge.Evaluate(t.Context(), judge.Config{Run: c.Out})
	if err != nil {
		t.Fatal(err)
	}
	wantClean(t, e.Reports, 7, "train of what is judged")
}
