package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/x448/float16"

	"graft/preprocess/augment"
	"graft/pretrained/store"
)

// tokensFixture is a store of vectors in float32 and of tokens in float16: 4 views, of
// which the last two are of the train split (every other row).
type tokensFixture struct {
	*fixture
	changed [2][][]float32 // per further view and tap, [n, dim]
}

func newTokensFixture(n int) *tokensFixture {
	f := newFixture(n, store.Float32, true)
	t := &tokensFixture{fixture: f}
	f.m.Taps = []store.Tap{f.m.Taps[0], {Name: "tokens_1", Dim: 12, Shape: []int{4, 3}, DType: store.Float16, Tensor: "blocks.0.residual"}}
	f.m.Views = &store.Views{Count: 4, Seed: 7, Augment: augment.Pipeline{HFlip: 0.5, Rotate: 12}}
	rng := rand.New(rand.NewPCG(8, uint64(n)))
	f.feats, f.flips = nil, nil
	for _, tap := range f.m.Taps {
		f.feats, f.flips = append(f.feats, random(rng, n*tap.Dim)), append(f.flips, random(rng, n*tap.Dim))
		for v := range t.changed {
			t.changed[v] = append(t.changed[v], random(rng, n*tap.Dim))
		}
	}
	return t
}

// append adds rows first to end-1 at once.
func (f *tokensFixture) append(s *store.ShardWriter, first, end int) error {
	var views [][][]float32
	for v, x := range [][][]float32{f.feats, f.flips, f.changed[0], f.changed[1]} {
		var taps [][]float32
		for k, tap := range f.m.Taps {
			var rows []float32
			for i := first; i < end; i++ {
				if v < 2 || f.rows[i].Split == "train" {
					rows = append(rows, x[k][i*tap.Dim:(i+1)*tap.Dim]...)
				}
			}
			taps = append(taps, rows)
		}
		views = append(views, taps)
	}
	return s.Append(f.rows[first:end], views...)
}

func (f *tokensFixture) write(t *testing.T, dir string) {
	t.Helper()
	w := f.open(t, dir)
	for _, r := range w.Missing() {
		s, err := w.Shard(r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		half := r[0] + r[1]/2
		if err := errors.Join(f.append(s, r[0], half), f.append(s, half, r[0]+r[1]), s.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, w)
}

func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openTokens(t testing.TB, s *store.Store, tap string) *store.Tokens {
	t.Helper()
	x, err := s.Tokens(tap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// Every view of every row comes back, tokens rounded to float16, and changed views of
// the train split alone.
func TestTokens(t *testing.T) {
	f := newTokensFixture(11)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	s := openStore(t, dir)
	for k, tap := range f.m.Taps {
		x := openTokens(t, s, tap.Name)
		if !slices.Equal(x.Shape(), tap.Row()) || x.Views() != 4 || x.FixedViews() != 2 {
			t.Errorf("%s: shape %v, %d and %d views", tap.Name, x.Shape(), x.Views(), x.FixedViews())
		}
		got := make([]float32, tap.Dim)
		for i, r := range f.rows {
			for v, want := range [][][]float32{f.feats, f.flips, f.changed[0], f.changed[1]} {
				err := x.Read(got, i, v)
				if v >= 2 && r.Split != "train" {
					if err == nil || !strings.Contains(err.Error(), "not of the train split") {
						t.Errorf("row %d of %s, view %d: %v", i, r.Split, v, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for d := range got {
					w := want[k][i*tap.Dim+d]
					if tap.DType == store.Float16 {
						w = float16.Fromfloat32(w).Float32()
					}
					if got[d] != w {
						t.Fatalf("%s, row %d, view %d, value %d: %v, want %v", tap.Name, i, v, d, got[d], w)
					}
				}
			}
		}
		for _, bad := range [][2]int{{-1, 0}, {11, 0}, {0, -1}, {0, 4}} {
			if err := x.Read(got, bad[0], bad[1]); err == nil {
				t.Errorf("row %d, view %d was read", bad[0], bad[1])
			}
		}
		if x.Read(got[1:], 0, 0) == nil {
			t.Error("read into too few values")
		}
		if n := testing.AllocsPerRun(10, func() { _ = x.Read(got, 3, 1) }); n != 0 {
			t.Errorf("a read allocates %v times", n)
		}
	}
	if _, err := s.Tokens("tokens_9"); err == nil || !strings.Contains(err.Error(), "it has cls, tokens_1") {
		t.Errorf("another tap: %v", err)
	}
	if r, err := store.Verify(t.Context(), dir, nil); err != nil || !r.Sound {
		t.Errorf("%+v, %v", r, err)
	}
}

// A row that is left out is in no view's file, and those behind it keep their places.
func TestTokensOfWhatIsLeft(t *testing.T) {
	f := newTokensFixture(8)
	dir := filepath.Join(t.TempDir(), "e")
	w := f.open(t, dir)
	for _, r := range w.Missing() {
		s, err := w.Shard(r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		s.Drop(f.bad(r[0])) // of the train split
		if err := errors.Join(f.append(s, r[0]+1, r[0]+r[1]), s.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, w)
	s := openStore(t, dir)
	x := openTokens(t, s, "cls")
	got := make([]float32, 5)
	for row, i := range []int{1, 2, 3, 5, 6, 7} {
		for v, from := range [][][]float32{f.feats, f.flips, f.changed[0], f.changed[1]} {
			if v >= 2 && f.rows[i].Split != "train" {
				continue
			}
			if err := x.Read(got, row, v); err != nil || !slices.Equal(got, from[0][5*i:5*i+5]) || s.Rows()[row].Index != f.rows[i].Index {
				t.Errorf("row %d, view %d: %v, want %v (%v)", row, v, got, from[0][5*i:5*i+5], err)
			}
		}
	}
}

// The header is numpy's of [4,4,3] '<f2'.
func TestTokensFile(t *testing.T) {
	f := newTokensFixture(11)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	for file, shape := range map[string]string{
		"tokens_1/00000.npy": "(4, 4, 3)", "tokens_1.flip/00002.npy": "(3, 4, 3)", "tokens_1.view2/00000.npy": "(2, 4, 3)", "tokens_1.view3/00002.npy": "(2, 4, 3)",
	} {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		want := "\x93NUMPY\x01\x00v\x00{'descr': '<f2', 'fortran_order': False, 'shape': " + shape + ", }"
		if err != nil || !bytes.HasPrefix(data, []byte(want)) || data[127] != '\n' {
			t.Errorf("%s begins with %.128q (%v), want %q", file, data, err, want)
		}
	}
}

// Tokens are no features to put side by side: all, and no words, are the vectors.
func TestTokensAreNoMatrix(t *testing.T) {
	f := newTokensFixture(11)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	s := openStore(t, dir)
	for _, words := range [][]string{nil, {"all"}, {"cls"}} {
		if m, err := s.Matrix(words, "", true); err != nil || m.Dim != 5 {
			t.Errorf("%v: %d columns, %v", words, m.Dim, err)
		}
	}
	if _, err := s.Matrix([]string{"cls,tokens_1"}, ""); err == nil || !strings.Contains(err.Error(), "tokens_1 (4×3") {
		t.Errorf("tokens as columns: %v", err)
	}
	if !slices.Equal(s.Taps(), []string{"cls"}) {
		t.Errorf("taps %v", s.Taps())
	}
	only := newTokensFixture(4)
	only.m.Taps, only.m.DType, only.m.Views = only.m.Taps[1:], store.Float16, nil
	only.m.Taps[0].DType = ""
	only.feats, only.flips = only.feats[1:], only.flips[1:]
	dir = filepath.Join(t.TempDir(), "only")
	only.fixture.write(t, dir)
	if _, err := openStore(t, dir).Matrix(nil, ""); err == nil || !strings.Contains(err.Error(), "tokens_1, which have to be named") {
		t.Errorf("a store of tokens alone: %v", err)
	}
}

func TestExportTokens(t *testing.T) {
	f := newTokensFixture(11)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	s := openStore(t, dir)
	path := filepath.Join(t.TempDir(), "x.npy")
	if _, err := s.Export(context.Background(), path, store.ExportOptions{Taps: []string{"tokens_1"}, Split: "val"}, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data[:128], []byte("(5, 4, 3)")) || len(data) != 128+5*12*4 {
		t.Errorf("%d bytes, %.100q, %v", len(data), data, err)
	}
	for _, o := range []struct{ file, taps string }{{"x.csv", "tokens_1"}, {"x.parquet", "tokens_1"}, {"x.npy", "cls,tokens_1"}} {
		if _, err := s.Export(context.Background(), filepath.Join(t.TempDir(), o.file), store.ExportOptions{Taps: []string{o.taps}}, nil); err == nil || !strings.Contains(err.Error(), "no vector") {
			t.Errorf("%v: %v", o, err)
		}
	}
}

func TestTokensInfo(t *testing.T) {
	f := newTokensFixture(11)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	in := openStore(t, dir).Info()
	if want := int64((2*11 + 2*6) * (5*4 + 12*2)); in.Bytes != want {
		t.Errorf("%d bytes, want %d", in.Bytes, want)
	}
	var out strings.Builder
	if err := in.Print(&out); err != nil || !strings.Contains(out.String(), "tokens_1 (4×3, float16, at blocks.0.residual)") ||
		!strings.Contains(out.String(), "4 by hflip,rotate=12, seed 7") {
		t.Errorf("%v, printed:\n%s", err, out.String())
	}
	if err := os.Remove(filepath.Join(dir, "tokens_1.view2", "00001.npy")); err != nil {
		t.Fatal(err)
	}
	r, err := store.Verify(t.Context(), dir, nil)
	want := "--taps cls,tokens_1 --split train,val --shard-rows 4 --provider cpu --flip --views 4 --view-seed 7 --view-augment hflip,rotate=12"
	if err != nil || r.Sound || len(r.Faults) != 1 || !strings.Contains(r.Fixes[0], want) {
		t.Errorf("%+v, %v", r, err)
	}
}

func ExampleStore_Tokens() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	w, _ := store.OpenWriter(ctx, filepath.Join(dir, "e"), store.Manifest{
		Dataset: store.Dataset{Name: "pets", Classes: []string{"cat"}, Splits: []string{"train"}},
		Taps:    []store.Tap{{Name: "tokens_8", Dim: 4, Shape: []int{2, 2}}}, DType: store.Float16, ShardRows: 1, Samples: 1,
	}, store.WriterOptions{}, nil)
	defer w.Close()
	shard, _ := w.Shard(0, 1)
	_ = shard.Append([]store.Row{{ID: "a.png", Split: "train", LabelName: "cat"}}, [][]float32{{1, 2, 3, 4}})
	_ = shard.Commit()
	_, _ = w.Finish(ctx, nil)

	s, _ := store.Open(filepath.Join(dir, "e"))
	x, err := s.Tokens("tokens_8")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer x.Close()
	tokens := make([]float32, 4)
	fmt.Println(x.Shape(), x.Read(tokens, 0, 0), tokens)
	// Output: [2 2] <nil> [1 2 3 4]
}

// A batch of 32 images of ViT-Ti/16 at 224 pixels, in an order that is no file's. SetBytes counts float32.
func BenchmarkTokens(b *testing.B) {
	const n, values = 512, 197 * 192
	dir := filepath.Join(b.TempDir(), "e")
	w, err := store.OpenWriter(b.Context(), dir, store.Manifest{
		Dataset: store.Dataset{Name: "x", Classes: []string{"a"}, Splits: []string{"train"}},
		Taps:    []store.Tap{{Name: "tokens_8", Dim: values, Shape: []int{197, 192}}}, DType: store.Float16, ShardRows: n, Samples: n,
	}, store.WriterOptions{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	s, err := w.Shard(0, n)
	if err != nil {
		b.Fatal(err)
	}
	x := random(rand.New(rand.NewPCG(1, 2)), values)
	for i := range n {
		if err := s.Append([]store.Row{{Index: i, Split: "train", LabelName: "a"}}, [][]float32{x}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Commit(); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Finish(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	tokens := openTokens(b, openStore(b, dir), "tokens_8")
	dst := make([]float32, 32*values)
	b.SetBytes(4 * 32 * values)
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		for k := range 32 {
			at = (at + 211) % n
			if err := tokens.Read(dst[k*values:(k+1)*values], at, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
}
