package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"graft/internal/atomicfile"
	"graft/preprocess/augment"
	"graft/pretrained/store"
)

// files maps every file below dir to its bytes.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	x, y := files(t, a), files(t, b)
	for name := range x {
		if !bytes.Equal(x[name], y[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d files, want %d", len(y), len(x))
	}
}

func TestResumeGivesSameBytes(t *testing.T) {
	f := newFixture(11, store.Float16, true)
	whole, broken := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	f.write(t, whole)

	w := f.open(t, broken)
	f.writeShard(t, w, 4, 4) // out of order
	if _, err := w.Shard(0, 4); err != nil {
		t.Fatal(err)
	}
	// What a process that is killed now leaves: its folder, without the lock.
	alive, _ := filepath.Glob(filepath.Join(broken, atomicfile.TempPrefix+"*"))
	if len(alive) != 1 || len(files(t, alive[0])) != 5 {
		t.Fatalf("work folders %v, want one of four temporaries and a lock", alive)
	}
	if err := os.CopyFS(alive[0]+"dead", os.DirFS(alive[0])); err != nil {
		t.Fatal(err)
	}
	if f.open(t, broken).Close(); len(files(t, alive[0])) != 5 {
		t.Fatal("another writer swept a living one's files away")
	}
	if left, _ := filepath.Glob(filepath.Join(broken, atomicfile.TempPrefix+"*")); len(left) != 1 {
		t.Fatalf("%v stayed, want the living writer's folder only", left)
	}
	w.Close()
	w = f.open(t, broken)
	if got := w.Missing(); len(got) != 2 || got[0] != [2]int{0, 4} || got[1] != [2]int{8, 3} {
		t.Fatalf("missing %v", got)
	}
	for _, r := range w.Missing() {
		f.writeShard(t, w, r[0], r[1])
	}
	finish(t, w)
	sameFiles(t, whole, broken)
}

func TestDamagedShardIsMadeAgain(t *testing.T) {
	f := newFixture(11, store.Float32, false)
	whole, broken := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	f.write(t, whole)
	f.write(t, broken)
	path := filepath.Join(broken, "cls", "00001.npy")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	w := f.open(t, broken)
	if w.Damaged() != 4 || len(w.Missing()) != 1 || w.Missing()[0] != [2]int{4, 4} {
		t.Fatalf("%d damaged samples, missing %v", w.Damaged(), w.Missing())
	}
	f.writeShard(t, w, 4, 4)
	finish(t, w)
	sameFiles(t, whole, broken)
}

func TestOpenChecksFiles(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		filepath.Join("cls", "00000.npy"):      func(p string) error { return os.Truncate(p, 150) },
		filepath.Join("mean_2", "00001.npy"):   os.Remove,
		filepath.Join("meta", "00000.parquet"): func(p string) error { return os.WriteFile(p, []byte("PAR1"), 0o644) },
		"manifest.json":                        func(p string) error { return os.Truncate(p, 200) },
	} {
		dir := filepath.Join(t.TempDir(), "e")
		newFixture(6, store.Float32, false).write(t, dir)
		if err := damage(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(dir)
		if err == nil { // the records say what the manifest said, and features are not to be had
			_, err = s.Matrix(nil, "")
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s damaged: error %v does not name it", name, err)
		}
	}
}

// TestExchangedFeaturesAreNotRead exchanges two shards' features, which have the same size, and wants every reader to refuse
// them by name.
func TestExchangedFeaturesAreNotRead(t *testing.T) {
	f := newFixture(11, store.Float32, false)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	a, b := filepath.Join(dir, "cls", "00000.npy"), filepath.Join(dir, "cls", "00001.npy")
	for _, move := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, dir)
	if _, err := s.Matrix([]string{"cls"}, ""); err == nil || !strings.Contains(err.Error(), "cls") || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("Matrix of exchanged shards: %v, want an error that names the file", err)
	}
	if _, err := s.Tokens("cls"); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("Tokens of exchanged shards: %v", err)
	}
	if _, err := s.Matrix([]string{"mean_2"}, ""); err != nil {
		t.Errorf("another tap: %v", err)
	}
}

func TestMismatchSaysWhatDiffers(t *testing.T) {
	for field, change := range map[string]func(*store.Manifest){
		"backbone":      func(m *store.Manifest) { m.Backbone.SHA256 = strings.Repeat("cd", 32) },
		"preprocessing": func(m *store.Manifest) { m.Backbone.Preprocessing.Std[2] = 0.25 },
		"precision":     func(m *store.Manifest) { m.Backbone.Precision = "int8" },
		"provider":      func(m *store.Manifest) { m.Backbone.Provider = "cuda" },
		"ONNX Runtime":  func(m *store.Manifest) { m.Backbone.Runtime = "1.24.0" },
		"dataset":       func(m *store.Manifest) { m.Dataset.Fingerprint = "sha256:2" },
		"classes":       func(m *store.Manifest) { m.Dataset.Classes = []string{"a", "b", "c"} },
		"splits":        func(m *store.Manifest) { m.Dataset.Splits = []string{"train"} },
		"limit":         func(m *store.Manifest) { m.Dataset.Limit = 3 },
		"taps":          func(m *store.Manifest) { m.Taps = m.Taps[:1] },
		"flip":          func(m *store.Manifest) { m.Flip = true },
		"views":         func(m *store.Manifest) { m.Views = &store.Views{Count: 3, Augment: augment.Pipeline{Rotate: 5}} },
		"dtype":         func(m *store.Manifest) { m.DType = store.Float16 },
		"batch":         func(m *store.Manifest) { m.Batch = 3 },
		"shard rows":    func(m *store.Manifest) { m.ShardRows = 5 },
		"samples":       func(m *store.Manifest) { m.Samples = 7 },
	} {
		dir := filepath.Join(t.TempDir(), "e")
		f := newFixture(6, store.Float32, false)
		f.write(t, dir)
		before := files(t, dir)
		m := f.m
		change(&m)
		_, err := store.OpenWriter(context.Background(), dir, m, store.WriterOptions{KeepBatch: true}, nil)
		var diff *store.MismatchError
		if !errors.As(err, &diff) || len(diff.Differences) != 1 || diff.Differences[0].Field != field {
			t.Errorf("%s changed: error %v", field, err)
		}
		after := files(t, dir)
		for name := range before {
			if !bytes.Equal(before[name], after[name]) {
				t.Errorf("%s changed: the refusal touched %s", field, name)
			}
		}
		if len(before) != len(after) {
			t.Errorf("%s changed: %d files became %d", field, len(before), len(after))
		}
	}
}

func TestRenamedFilesAreTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	f := newFixture(6, store.Float32, false)
	f.write(t, dir)
	f.m.Backbone.Name, f.m.Dataset.Name = "renamed.onnx", "renamed.csv"
	if got := f.open(t, dir).Missing(); len(got) != 0 {
		t.Errorf("missing %v", got)
	}
}

func TestCheckingTellsProgress(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	f := newFixture(6, store.Float32, false)
	f.write(t, dir)
	var mu sync.Mutex
	var most int64
	w, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, done)
		if total != 6 { // two shards of two taps and metadata
			t.Errorf("%d of %d files, want 6", done, total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if most != 6 {
		t.Errorf("progress ended at %d of 6 files", most)
	}
}

func TestOtherFoldersAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := store.OpenWriter(context.Background(), dir, newFixture(6, store.Float32, false).m, store.WriterOptions{}, nil)
	if err == nil || !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("error %v", err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("the refusal left %d files", len(got))
	}
}

func TestAppendRefusesPoison(t *testing.T) {
	nan := float32(0)
	nan /= nan
	for _, c := range []struct {
		dt   store.DType
		v    float32
		want string
	}{
		{store.Float32, nan, "not a finite"}, {store.Float16, nan, "not a finite"},
		{store.Float16, 65520, "beyond float16"}, {store.Float16, -1e6, "beyond float16"},
		{store.Float16, 65519, ""}, {store.Float32, 1e38, ""},
	} {
		f := newFixture(2, c.dt, false)
		f.feats[1][4] = c.v
		w := f.open(t, filepath.Join(t.TempDir(), "e"))
		s, err := w.Shard(0, 2)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Append(f.rows[1:2], f.at(f.feats, 1))
		s.Abort()
		if c.want == "" && err != nil {
			t.Errorf("%s %v: %v", c.dt, c.v, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "face-01") || !strings.Contains(err.Error(), "mean_2")) {
			t.Errorf("%s %v: error %v", c.dt, c.v, err)
		}
	}
}

func TestCommitNeedsEverySample(t *testing.T) {
	f := newFixture(6, store.Float32, false)
	w := f.open(t, filepath.Join(t.TempDir(), "e"))
	s, err := w.Shard(0, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(f.rows[:1], f.at(f.feats, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err == nil || !strings.Contains(err.Error(), "do not make 4 samples") {
		t.Errorf("error %v", err)
	}
}
