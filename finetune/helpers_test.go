package finetune

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"graft/pretrained/store"
)

// storeSpec describes a store of made-up features: each class lies around its
// own random point, so that a head can learn it.
type storeSpec struct {
	classes []string
	splits  map[string]int // rows of each
	order   []string       // of the splits
	noise   float32
	flip    bool
	source  string
	hash    string // of the pretended backbone
	data    string // fingerprint
}

func usual() storeSpec {
	return storeSpec{
		classes: []string{"angry", "happy", "sad"}, order: []string{"train", "public-test", "private-test"},
		splits: map[string]int{"train": 240, "public-test": 60, "private-test": 60}, noise: 0.8, flip: true,
		source: "weights.pth", hash: strings.Repeat("ab", 32), data: "sha256:" + strings.Repeat("cd", 32),
	}
}

var testTaps = []store.Tap{{Name: "cls", Dim: 5}, {Name: "mean", Dim: 4}}

// makeStore writes the store to a new folder below dir.
func makeStore(t testing.TB, dir string, s storeSpec) string {
	t.Helper()
	out := filepath.Join(dir, "embeddings")
	total := 0
	for _, n := range s.splits {
		total += n
	}
	w, err := store.OpenWriter(context.Background(), out, store.Manifest{
		Backbone: store.Backbone{Name: "tiny.onnx", SHA256: s.hash, Source: s.source, Preprocessing: "in the graph: test",
			Precision: "fp32", Provider: "cpu", Runtime: "1.0"},
		Dataset: store.Dataset{Name: "made-up", Fingerprint: s.data, Classes: s.classes, Splits: s.order},
		Taps:    testTaps, Flip: s.flip, DType: store.Float32, ShardRows: 64, Samples: total,
	}, store.WriterOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rows, feats, flips := makeRows(s)
	for _, m := range w.Missing() {
		writeShard(t, w, s, rows, feats, flips, m[0], m[1])
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return out
}

func writeShard(t testing.TB, w *store.Writer, s storeSpec, rows []store.Row, feats, flips [][]float32, first, count int) {
	t.Helper()
	cut := func(all [][]float32) [][]float32 {
		var out [][]float32
		for i, tap := range testTaps {
			out = append(out, all[i][first*tap.Dim:(first+count)*tap.Dim])
		}
		return out
	}
	sw, err := w.Shard(first, count)
	if err == nil {
		err = sw.Append(rows[first:first+count], cut(feats), cut(flips))
	}
	if err == nil {
		err = sw.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeRows draws rows and features, [rows,Dim] for each tap.
func makeRows(s storeSpec) (rows []store.Row, feats, flips [][]float32) {
	rng := rand.New(rand.NewPCG(7, 11))
	draw := func() float32 { return float32(rng.NormFloat64()) }
	centres := map[[3]int]float32{}
	feats, flips = make([][]float32, len(testTaps)), make([][]float32, len(testTaps))
	for _, split := range s.order {
		for range s.splits[split] {
			label := rng.IntN(len(s.classes))
			rows = append(rows, store.Row{Index: len(rows), ID: fmt.Sprintf("%s_%05d", split, len(rows)), Split: split,
				Label: label, LabelName: s.classes[label]})
			for t, tap := range testTaps {
				for d := range tap.Dim {
					key := [3]int{label, t, d}
					if _, ok := centres[key]; !ok {
						centres[key] = draw()
					}
					feats[t] = append(feats[t], centres[key]+s.noise*draw())
					flips[t] = append(flips[t], centres[key]+s.noise*draw())
				}
			}
		}
	}
	return rows, feats, flips
}

// trainUsual trains on the store at dir and fails the test when it cannot.
func trainUsual(t testing.TB, c HeadConfig) Result {
	t.Helper()
	r, err := TrainHead(context.Background(), c, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantError checks that err is there and says all of the words.
func wantError(t testing.TB, err error, words ...string) {
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
