package audit

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// drawn is the synthetic set and a store of features that its labels' classes are easily
// told by, but for what is planted.
type drawn struct {
	t    *testing.T
	data *dataset.Dataset
	x    []float32 // [samples,dim]
}

const drawnDim = 6

func newDrawn(t *testing.T, perClass int) *drawn {
	t.Helper()
	d, err := dataset.Open(t.Context(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: perClass, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	f := &drawn{t, d, make([]float32, len(d.Samples)*drawnDim)}
	for i, s := range d.Samples {
		f.like(i, s.Label)
	}
	return f
}

// like draws a row's features around a class.
func (f *drawn) like(i, class int) {
	r := rand.New(rand.NewPCG(uint64(i), 5))
	centre := rand.New(rand.NewPCG(uint64(class), 6))
	for j := range drawnDim {
		f.x[i*drawnDim+j] = float32(4*centre.NormFloat64() + r.NormFloat64()/2)
	}
}

// store writes the rows that keep tells.
func (f *drawn) store(keep func(dataset.Sample) bool) *store.Store {
	f.t.Helper()
	ctx, dir := f.t.Context(), filepath.Join(f.t.TempDir(), "store")
	fingerprint, err := f.data.Fingerprint(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	var rows []store.Row
	var x []float32
	var splits []string
	for i, s := range f.data.Samples {
		if keep(s) {
			rows = append(rows, store.Row{Index: i, ID: s.ID, Split: s.Split, Label: s.Label, LabelName: f.data.Classes[s.Label]})
			x = append(x, f.x[i*drawnDim:(i+1)*drawnDim]...)
			if !slices.Contains(splits, s.Split) {
				splits = append(splits, s.Split)
			}
		}
	}
	m := store.Manifest{
		Backbone: store.Backbone{Name: "drawn.onnx", SHA256: strings.Repeat("0", 64), Source: "random:1", Precision: "float32", Provider: "go",
			Preprocessing: preprocess.Spec{Size: 224, Filter: "bilinear", Crop: 1, Channels: 3, Normalization: preprocess.ImageNet}},
		Dataset: store.Dataset{Name: "synthetic", Fingerprint: fingerprint, Classes: f.data.Classes, Splits: splits},
		Taps:    []store.Tap{{Name: "cls", Dim: drawnDim}, {Name: "cls_1", Dim: drawnDim}}, DType: store.Float32, ShardRows: len(rows), Samples: len(rows), Batch: 1,
	}
	w, err := store.OpenWriter(ctx, dir, m, store.WriterOptions{}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	s, err := w.Shard(0, len(rows))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return s.Append(rows, [][]float32{x, x}) }, s.Commit,
		func() error { _, err := w.Finish(ctx, nil); return err }, w.Close,
	} {
		if err := step(); err != nil {
			f.t.Fatal(err)
		}
	}
	out, err := store.Open(dir)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *drawn) run(s *store.Store) (*Report, string) {
	f.t.Helper()
	out := f.t.TempDir()
	r, err := Run(f.t.Context(), Config{Data: f.data, Out: out, Store: s, Seed: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	return r, out
}

func all(dataset.Sample) bool { return true }

func TestWrongLabelsAndOutliersAreFound(t *testing.T) {
	f := newDrawn(t, 30)
	var want []string
	test := f.data.Info().Splits["train"].Total // the first row of public-test
	for _, i := range []int{3, 50, 101, test + 2} {
		other := (f.data.Samples[i].Label + 2) % 7
		f.like(i, other)
		want = append(want, fmt.Sprint(f.data.Samples[i].ID, " ", f.data.Classes[other]))
	}
	for j := range drawnDim {
		f.x[77*drawnDim+j] = float32(-50 * (j%2*2 - 1))
	}
	r, out := f.run(f.store(all))
	got := column(t, out, "labels", "id", "suggested")
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("labels %q lack %q", got, w)
		}
	}
	if n := r.Labels.Suspected; n["train"] > 4 || n["public-test"] != 1 || n["private-test"] != 0 {
		t.Errorf("suspected %v", n)
	}
	if got := column(t, out, "outliers", "id"); len(got) == 0 || got[0] != f.data.Samples[77].ID {
		t.Errorf("outliers %q, want %s first", got, f.data.Samples[77].ID)
	}
	if !slices.Equal(r.Features.Taps, []string{"cls"}) || r.Labels.Accuracy < 0.95 || len(r.Notes) > 0 {
		t.Errorf("features %+v, labels %+v, notes %q", r.Features, r.Labels, r.Notes)
	}
	fold := column(t, out, "probabilities", "split", "fold")
	if len(fold) != len(f.data.Samples) || !slices.Contains(fold, "train 4") || !slices.Contains(fold, "public-test -1") || slices.Contains(fold, "train -1") {
		t.Errorf("%d rows of probabilities: %q", len(fold), fold[:9])
	}
}

// Equal images are never on both sides of a fold, and no neighbours of each other.
func TestFeaturesKeepGroupsTogether(t *testing.T) {
	f := newDrawn(t, 20)
	a := &auditor{Config: Config{Data: f.data, Store: f.store(all), Seed: 1}}
	for i := range f.data.Samples {
		a.kin = append(a.kin, i-i%2) // pairs
	}
	train, err := a.Store.Matrix([]string{"cls"}, "train")
	if err != nil {
		t.Fatal(err)
	}
	l := &learner{auditor: a, confident: newConfident(7), classes: 7}
	if err := l.fit(t.Context(), train); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(l.fold); i += 2 {
		if l.fold[i] != l.fold[i+1] {
			t.Errorf("rows %d and %d, one group, are in folds %d and %d", i, i+1, l.fold[i], l.fold[i+1])
		}
	}
	s, err := a.surround(train)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.rows) != len(train.Labels)/2 {
		t.Errorf("%d references of %d groups", len(s.rows), len(train.Labels)/2)
	}
	a.Progress = func(string) func(int64, int64) { return nil }
	far, err := s.distances(t.Context(), train)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range far {
		if a.kin[d.nearest] == a.kin[d.row] || !(d.distance > 0) {
			t.Errorf("row %d has neighbour %d at %g", d.row, d.nearest, d.distance)
		}
	}
}

func TestFeaturesThatTellNothing(t *testing.T) {
	f := newDrawn(t, 30)
	for want, keep := range map[string]func(dataset.Sample) bool{
		"no split train":         func(s dataset.Sample) bool { return s.Split != "train" },
		"fewer than two classes": func(s dataset.Sample) bool { return s.Label == 3 },
		"too few images":         func(s dataset.Sample) bool { return s.ID < "Training_00008" },
	} {
		r, _ := f.run(f.store(keep))
		if text := strings.Join(r.Notes, "; "); !strings.Contains(text, want) || r.Labels != nil {
			t.Errorf("notes %q, want one with %q", text, want)
		}
	}
	other, err := dataset.Open(t.Context(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: 30, Seed: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = Run(t.Context(), Config{Data: other, Out: t.TempDir(), Store: f.store(all)})
	if err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("a store of another set: %v", err)
	}
}
