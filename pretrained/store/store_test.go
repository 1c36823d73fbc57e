package store_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

func Example() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	w, err := store.OpenWriter(ctx, filepath.Join(dir, "e"), store.Manifest{
		Dataset: store.Dataset{Name: "pets", Classes: []string{"cat", "dog"}, Splits: []string{"train"}},
		Taps:    []store.Tap{{Name: "cls", Dim: 2}}, DType: store.Float32, ShardRows: 2, Samples: 2,
	}, store.WriterOptions{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	shard, _ := w.Shard(0, 2)
	defer shard.Abort()
	_ = shard.Append([]store.Row{{Index: 0, ID: "a.png", Split: "train", Label: 1, LabelName: "dog"},
		{Index: 1, ID: "b.png", Split: "train", Label: 0, LabelName: "cat"}}, [][]float32{{1, 2, 3, 4}})
	fmt.Println(shard.Commit())
	state, err := w.Finish(ctx, nil)
	fmt.Println(state.Complete(), err)

	s, _ := store.Open(filepath.Join(dir, "e"))
	m, _ := s.Matrix([]string{"cls"}, "train")
	fmt.Println(m.X, m.Dim, m.Labels, m.IDs)
	// Output:
	// <nil>
	// true <nil>
	// [1 2 3 4] 2 [1 0] [a.png b.png]
}

// fixture is a store's contents: random features of n samples.
type fixture struct {
	m            store.Manifest
	rows         []store.Row
	feats, flips [][]float32 // per tap, [n, dim]
}

func newFixture(n int, dt store.DType, flip bool) *fixture {
	f := &fixture{m: store.Manifest{
		Backbone: store.Backbone{Name: "vit.onnx", SHA256: strings.Repeat("ab", 32), Preprocessing: preprocess.Spec{Size: 32, Filter: preprocess.Bilinear, Crop: 1, Channels: 3, Normalization: preprocess.Half}, Precision: "float32", Provider: "cpu", Runtime: "1.25.1"},
		Dataset:  store.Dataset{Name: "faces.csv", Fingerprint: "sha256:1", Classes: []string{"angry", "happy", "sad"}, Splits: []string{"train", "val"}},
		Taps:     []store.Tap{{Name: "cls", Dim: 5}, {Name: "mean_2", Dim: 3}}, Flip: flip, DType: dt, Batch: 2, ShardRows: 4, Samples: n,
	}}
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		l := rng.IntN(3)
		f.rows = append(f.rows, store.Row{Index: 3 * i, ID: fmt.Sprintf("face-%02d", i), Split: f.m.Dataset.Splits[i%2], Label: l, LabelName: f.m.Dataset.Classes[l]})
	}
	for _, t := range f.m.Taps {
		f.feats = append(f.feats, random(rng, n*t.Dim))
		f.flips = append(f.flips, random(rng, n*t.Dim))
	}
	return f
}

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// writeShard writes the samples from first on, in two steps, leaving out those in bad.
func (f *fixture) writeShard(t *testing.T, w *store.Writer, first, count int, bad ...int) {
	t.Helper()
	s, err := w.Shard(first, count)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	for i := first; i < first+count; i++ {
		if slices.Contains(bad, i) {
			s.Drop(f.bad(i))
			continue
		}
		if err := s.Append(f.rows[i:i+1], f.views(i)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) bad(i int) store.BadRow {
	return store.BadRow{Index: f.rows[i].Index, ID: f.rows[i].ID, Split: f.rows[i].Split, Label: f.rows[i].Label, Reason: "no image"}
}

// views is what Append takes of image i.
func (f *fixture) views(i int) [][][]float32 {
	if !f.m.Flip {
		return [][][]float32{f.at(f.feats, i)}
	}
	return [][][]float32{f.at(f.feats, i), f.at(f.flips, i)}
}

// at is row i of each matrix.
func (f *fixture) at(x [][]float32, i int) [][]float32 {
	var out [][]float32
	for t, tap := range f.m.Taps {
		out = append(out, x[t][i*tap.Dim:(i+1)*tap.Dim])
	}
	return out
}

func (f *fixture) open(t *testing.T, dir string) *store.Writer {
	t.Helper()
	return f.openPart(t, dir, store.Part{})
}

func (f *fixture) openPart(t *testing.T, dir string, p store.Part) *store.Writer {
	t.Helper()
	w, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{Part: p, KeepBatch: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// write makes the whole store, leaving out the samples in bad.
func (f *fixture) write(t *testing.T, dir string, bad ...int) {
	t.Helper()
	f.writePart(t, dir, store.Part{}, bad...)
}

// writePart makes one part of it.
func (f *fixture) writePart(t *testing.T, dir string, p store.Part, bad ...int) store.State {
	t.Helper()
	w := f.openPart(t, dir, p)
	for _, r := range w.Missing() {
		f.writeShard(t, w, r[0], r[1], bad...)
	}
	return finish(t, w)
}

// finish completes the store if it can, and lets go of it.
func finish(t *testing.T, w *store.Writer) store.State {
	t.Helper()
	s, err := w.Finish(t.Context(), nil)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMatrix(t *testing.T) {
	for _, dt := range []store.DType{store.Float32, store.Float16} {
		f := newFixture(10, dt, true)
		dir := filepath.Join(t.TempDir(), "e")
		f.write(t, dir)
		s, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			taps  []string
			split string
			flip  bool
		}{
			{nil, "", false}, {[]string{"mean_2"}, "val", false},
			{[]string{"mean_2,cls"}, "train", true}, {[]string{"all"}, "val", true},
		} {
			t.Run(fmt.Sprintf("%s %v %s %v", dt, c.taps, c.split, c.flip), func(t *testing.T) {
				f.checkMatrix(t, s, c.taps, c.split, c.flip)
			})
		}
	}
}

// checkMatrix compares with the fixture, row by row. Half precision keeps 11 bits.
func (f *fixture) checkMatrix(t *testing.T, s *store.Store, words []string, split string, flip bool) {
	m, err := s.Matrix(words, split, flip)
	if err != nil {
		t.Fatal(err)
	}
	src, tol := f.feats, 0.0
	if flip {
		src = f.flips
	}
	if f.m.DType == store.Float16 {
		tol = 1.0 / 2048
	}
	names, _ := taps.Resolve("", s.Taps(), words, taps.All)
	at := 0
	for i, r := range f.rows {
		if split != "" && r.Split != split {
			continue
		}
		if m.Labels[at] != r.Label || m.IDs[at] != r.ID || m.Indices[at] != r.Index {
			t.Fatalf("row %d is %s (%d) with label %d, want %s (%d) with %d", at, m.IDs[at], m.Indices[at], m.Labels[at], r.ID, r.Index, r.Label)
		}
		col := at * m.Dim
		for _, name := range names {
			k := slices.IndexFunc(f.m.Taps, func(t store.Tap) bool { return t.Name == name })
			tap := f.m.Taps[k]
			for d := range tap.Dim {
				want := float64(src[k][i*tap.Dim+d])
				if diff := math.Abs(float64(m.X[col]) - want); !(diff <= tol*max(1, math.Abs(want))) {
					t.Fatalf("row %d, tap %s, value %d: %v, want %v", at, tap.Name, d, m.X[col], want)
				}
				col++
			}
		}
		at++
	}
	if at != len(m.Labels) || len(m.X) != at*m.Dim || cap(m.X) != len(m.X) {
		t.Errorf("%d labels and %d values (capacity %d), want %d rows of %d and no more", len(m.Labels), len(m.X), cap(m.X), at, m.Dim)
	}
}

// Views come one after the other, in one matrix.
func TestMatrixOfViews(t *testing.T) {
	f := newFixture(10, store.Float32, true)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var one [2]store.Matrix
	for i, flip := range []bool{false, true} {
		if one[i], err = s.Matrix(nil, "val", flip); err != nil {
			t.Fatal(err)
		}
	}
	both, err := s.Matrix(nil, "val", false, true)
	if err != nil || !slices.Equal(both.X, slices.Concat(one[0].X, one[1].X)) || cap(both.X) != len(both.X) ||
		!slices.Equal(both.Indices, slices.Concat(one[0].Indices, one[1].Indices)) || both.Dim != one[0].Dim || len(both.Labels) != 10 || len(both.IDs) != 10 {
		t.Errorf("%+v (%v), want %+v after %+v", both, err, one[1], one[0])
	}
}

func TestMatrixErrors(t *testing.T) {
	f := newFixture(6, store.Float32, false)
	dir := filepath.Join(t.TempDir(), "e")
	w := f.open(t, dir)
	f.writeShard(t, w, 0, 4)
	want := func(taps []string, split string, flip bool, msg string) {
		t.Helper()
		s, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Matrix(taps, split, flip); err == nil || !strings.Contains(err.Error(), msg) {
			t.Errorf("error %v, want one with %q", err, msg)
		}
	}
	want(nil, "", false, "1 of 2 shards")
	f.writeShard(t, w, 4, 2)
	want(nil, "", false, "2 of 2 shards")
	finish(t, w)
	want([]string{"cls_9"}, "", false, "it has cls, mean_2")
	want(nil, "test", false, "it has train, val")
	want(nil, "", true, "--flip")
}

// checkUnfinished looks at what is said of a store whose shards are there and whose writer, still at work, did not finish it.
func checkUnfinished(t *testing.T, in store.Info, dir string) {
	t.Helper()
	var out strings.Builder
	if err := in.Print(&out); err != nil || in.Planned != 2 || in.AtWork != 1 || !strings.HasPrefix(in.GoOn, "graft extract --data faces.csv --model vit.onnx --out "+dir) {
		t.Errorf("%+v, %v", in, err)
	}
	for _, want := range []string{"4 so far in 2 of 2 shards, for 6 samples: UNFINISHED", "1 process at work on it", "train 2 so far", "val 2 so far", "2 bad images so far, listed in shards"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// What is left of a writer that was killed is nobody at work: the command that goes on is told.
func TestInfoOfABrokenOffStore(t *testing.T) {
	f := newFixture(6, store.Float32, false)
	dir := filepath.Join(t.TempDir(), "e")
	w := f.open(t, dir)
	f.writeShard(t, w, 0, 4)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".graft-tmp-part-0-of-1-77")
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "lock"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	in := s.Info()
	var out strings.Builder
	if err := in.Print(&out); err != nil || in.AtWork != 0 || in.Shards != 1 || in.Planned != 2 || !strings.Contains(out.String(), in.GoOn) {
		t.Errorf("%+v, %v, printed:\n%s", in, err, out.String())
	}
}

func TestRowsAndInfo(t *testing.T) {
	f := newFixture(6, store.Float32, false)
	dir := filepath.Join(t.TempDir(), "e")
	w := f.open(t, dir)
	f.writeShard(t, w, 0, 4, 1, 2)
	f.writeShard(t, w, 4, 2)
	unfinished, err := store.Open(dir)
	if err != nil || unfinished.Info().Complete || len(unfinished.Bad()) != 2 {
		t.Errorf("before Finish: %v, %v", unfinished, err)
	}
	checkUnfinished(t, unfinished.Info(), dir)
	if state := finish(t, w); state.Rows != 4 || state.Bad != 2 || !state.Complete() {
		t.Errorf("state %+v", state)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Bad(), []store.BadRow{f.bad(1), f.bad(2)}) {
		t.Errorf("bad %v", s.Bad())
	}
	want := []store.Row{f.rows[0], f.rows[3], f.rows[4], f.rows[5]}
	if !slices.Equal(s.Rows(), want) {
		t.Errorf("rows %v, want %v", s.Rows(), want)
	}
	in := s.Info()
	if !in.Complete || in.Rows != 4 || in.Bad != 2 || in.Reasons["no image"] != 2 || in.Batch != 2 || in.Splits["train"] != 2 || in.Bytes != 4*8*4 {
		t.Errorf("info %+v", in)
	}
	var out strings.Builder
	if err := in.Print(&out); err != nil || !strings.Contains(out.String(), "4 of 6 samples in 2 shards, finished") || !strings.Contains(out.String(), "2: no image") {
		t.Errorf("%v, printed:\n%s", err, out.String())
	}
}
