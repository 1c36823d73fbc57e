// Package runtest makes stores of made-up features, runs and images for the tests of package finetune's rooms.
package runtest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/internal/atomicfile"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
)

// Spec describes a store of made-up features: each class lies around its own
// random point, so that a head can learn it.
type Spec struct {
	Classes []string
	Splits  []string
	Rows    map[string]int // of each split
	Flip    bool
	Source  string // of the pretended backbone
	Hash    string // of the same
	Data    string // fingerprint
	Copies  int    // so many rows of each other split have the content of one of train
	Old     bool   // from before stores kept contents
}

// Usual is a store of three classes and FER2013's splits, taps cls and mean.
func Usual() Spec {
	return Spec{
		Classes: []string{"angry", "happy", "sad"}, Splits: dataset.FERSplits,
		Rows: map[string]int{"train": 240, "public-test": 60, "private-test": 60}, Flip: true,
		Source: "weights.pth", Hash: strings.Repeat("ab", 32), Data: "sha256:" + strings.Repeat("cd", 32),
	}
}

// Store writes the store to a new folder below dir.
func Store(t testing.TB, dir string, s Spec) string {
	t.Helper()
	out := filepath.Join(dir, "embeddings")
	taps := []store.Tap{{Name: "cls", Dim: 5}, {Name: "mean", Dim: 4}}
	rows, views := draw(s, taps)
	w, err := store.OpenWriter(t.Context(), out, store.Manifest{
		Backbone: store.Backbone{Name: "tiny.onnx", SHA256: s.Hash, Source: s.Source, Preprocessing: preprocess.Spec{Size: 32},
			Precision: "fp32", Provider: "cpu", Runtime: "1.0"},
		Dataset: store.Dataset{Name: "made-up", Fingerprint: s.Data, Classes: s.Classes, Splits: s.Splits},
		Taps:    taps, Flip: s.Flip, DType: store.Float32, ShardRows: 64, Samples: len(rows),
	}, store.WriterOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, m := range w.Missing() {
		first, end := m[0], m[0]+m[1]
		cut := make([][][]float32, map[bool]int{false: 1, true: 2}[s.Flip])
		for v := range cut {
			for i, tap := range taps {
				cut[v] = append(cut[v], views[v][i][first*tap.Dim:end*tap.Dim])
			}
		}
		sw, err := w.Shard(first, end-first)
		if err == nil {
			err = sw.Append(rows[first:end], cut...)
		}
		if err == nil {
			err = sw.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// draw makes rows and the features of both views, [rows,Dim] for each tap.
func draw(s Spec, taps []store.Tap) (rows []store.Row, views [2][][]float32) {
	rng := rand.New(rand.NewPCG(7, 11))
	centres := map[[3]int]float32{}
	for v := range views {
		views[v] = make([][]float32, len(taps))
	}
	for _, split := range s.Splits {
		for i := range s.Rows[split] {
			label := rng.IntN(len(s.Classes))
			rows = append(rows, store.Row{Index: len(rows), ID: fmt.Sprintf("%s_%05d", split, len(rows)), Split: split,
				Label: label, LabelName: s.Classes[label], Content: s.content(split, i, len(rows))})
			for t, tap := range taps {
				for d := range tap.Dim {
					key := [3]int{label, t, d}
					if _, ok := centres[key]; !ok {
						centres[key] = float32(rng.NormFloat64())
					}
					for v := range views {
						views[v][t] = append(views[v][t], centres[key]+0.8*float32(rng.NormFloat64()))
					}
				}
			}
		}
	}
	return rows, views
}

// content is that of a split's row i, row n of all.
func (s Spec) content(split string, i, n int) (c duplicate.Content) {
	if s.Old {
		return c
	}
	if split != dataset.Train && i < s.Copies {
		n = i // train comes first
	}
	c.Key = duplicate.Key{1, byte(n), byte(n >> 8)}
	return c
}

// Images are a small gray square, an RGB one of vittest's network's size, and
// two of a photograph's shape.
func Images() []preprocess.Image {
	rng := rand.New(rand.NewPCG(3, 4))
	var out []preprocess.Image
	for _, s := range [][3]int{{1, 12, 12}, {3, 32, 32}, {3, 50, 71}, {1, 64, 40}} {
		im := preprocess.New(s[0], s[1], s[2])
		for i := range im.Pix {
			im.Pix[i] = uint8(rng.IntN(256))
		}
		out = append(out, im)
	}
	return out
}

// ReadCSV is a file's lines.
func ReadCSV(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// WantError checks that err is there and says all of the words.
func WantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// Pictures is a folder of two classes, all of the split val, with one file that
// is no image if asked.
func Pictures(t testing.TB, bad bool) string {
	t.Helper()
	dir := t.TempDir()
	for i, im := range Images() {
		path := filepath.Join(dir, "val", []string{"cat", "dog"}[i%2], string(rune('a'+i))+".png")
		var data bytes.Buffer
		if err := png.Encode(&data, im.ToImage()); err != nil {
			t.Fatal(err)
		}
		if bad && i == 2 {
			data.Truncate(20)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.WriteFile(path, data.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
