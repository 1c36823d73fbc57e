package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"graft/internal/atomicfile"
	"graft/pretrained/store"
)

func TestParsePart(t *testing.T) {
	for s, want := range map[string]store.Part{"": {}, "0/1": {0, 1}, "3/4": {3, 4}} {
		if p, err := store.ParsePart(s); p != want || err != nil {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"4/4", "-1/4", "1", "1/0", "a/b", "1/4/2", "/"} {
		if _, err := store.ParsePart(s); err == nil || !strings.Contains(err.Error(), "counts from 0") {
			t.Errorf("%q: error %v", s, err)
		}
	}
}

// However many processes make a store, in whatever order, its bytes are the same.
func TestPartsGiveSameBytes(t *testing.T) {
	f, bad := newFixture(23, store.Float32, true), []int{1, 9, 10, 22}
	whole := filepath.Join(t.TempDir(), "whole")
	f.write(t, whole, bad...)
	for _, n := range []int{1, 2, 4, 6, 9} {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
		for i := range n {
			p := store.Part{I: (i*5 + 2) % n, N: n}
			if n == 6 {
				p.I = i
			}
			state := f.writePart(t, dir, p, bad...)
			if last := i == n-1; n == 6 && state.Complete() != last || state.Shards != 6 {
				t.Errorf("after part %v: %+v", p, state)
			}
		}
		for i := range n { // (i*5+2) mod n may leave some out: any order, any repetition
			f.writePart(t, dir, store.Part{I: i, N: n}, bad...)
		}
		sameFiles(t, whole, dir)
	}
}

// Many begin at once on nothing, some the same part: all get through.
func TestManyBeginAtOnce(t *testing.T) {
	f := newFixture(40, store.Float32, false)
	whole, shared := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "shared")
	f.write(t, whole, 7)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { f.writePart(t, shared, store.Part{I: i % 4, N: 4}, 7) })
	}
	wg.Wait()
	sameFiles(t, whole, shared)
}

// Many find what killed processes left, and get into each other's way removing it.
func TestManySweepAtOnce(t *testing.T) {
	f, dir := newFixture(6, store.Float32, false), filepath.Join(t.TempDir(), "e")
	f.write(t, dir)
	for round := range 6 {
		for i := range 20 {
			dead := filepath.Join(dir, fmt.Sprintf("%spart-0-of-1-%d", atomicfile.TempPrefix, i))
			if err := os.MkdirAll(filepath.Join(dead, "more"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"lock", ".graft-tmp-00000.npy-1", "more/file"} {
				if err := os.WriteFile(filepath.Join(dead, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				w, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, nil)
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				if err := w.Close(); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, atomicfile.TempPrefix+"*")); len(left) > 0 {
		t.Errorf("%v stayed", left)
	}
}

// Of those who begin with different settings, one settles them for all.
func TestOnePlanWins(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	var mu sync.Mutex
	begun, refused := map[int]int{}, 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			f := newFixture(12, store.Float32, false)
			f.m.ShardRows = 4 + i%2
			w, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				begun[w.Manifest().ShardRows]++
				w.Close()
			case errors.As(err, new(*store.MismatchError)):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(begun) != 1 || refused != 4 {
		t.Errorf("begun with shards of %v, %d refused; want one size and 4", begun, refused)
	}
}

func TestBatchOfABegunStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	if m, err := store.Begun(dir); m != nil || err != nil {
		t.Errorf("before: %v, %v", m, err)
	}
	f := newFixture(6, store.Float32, false)
	f.open(t, dir).Close()
	if m, err := store.Begun(dir); err != nil || m.Batch != 2 {
		t.Errorf("begun: %v, %v", m, err)
	}
	f.m.Batch = 7
	w, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, nil)
	if err != nil || w.Manifest().Batch != 2 {
		t.Fatalf("%v; want the store's own batch", err)
	}
	w.Close()
}

func TestLostFilesAreMended(t *testing.T) {
	f, bad := newFixture(23, store.Float32, false), []int{1, 22}
	whole := filepath.Join(t.TempDir(), "whole")
	f.write(t, whole, bad...)
	cut := func(name string) func(string) error {
		return func(dir string) error { return os.Truncate(filepath.Join(dir, filepath.FromSlash(name)), 20) }
	}
	remove := func(names ...string) func(string) error {
		return func(dir string) error {
			for _, n := range names {
				if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(n))); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for name, damage := range map[string]func(string) error{
		"record": cut("shards/00003.json"), "record of a shard with bad images": cut("shards/00000.json"),
		"errors": cut("meta/errors.parquet"), "no errors": remove("meta/errors.parquet"), "features": cut("cls/00005.npy"),
		"manifest cut": cut("manifest.json"), "no manifest": remove("manifest.json"), "neither plan nor manifest": remove("manifest.json", "shards/plan.json"),
		"no plan and half a manifest": func(dir string) error { return errors.Join(cut("manifest.json")(dir), remove("shards/plan.json")(dir)) },
		"much":                        remove("cls", "shards", "meta/00002.parquet"), "all records": remove("shards"),
	} {
		dir := filepath.Join(t.TempDir(), "e")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		f.write(t, dir, bad...)
		t.Log(name)
		sameFiles(t, whole, dir)
	}
}

// A record of another plan, as a file system without links may let in, is refused.
func TestForeignRecordIsRefused(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	f := newFixture(6, store.Float32, false)
	f.write(t, other)
	if err := os.Remove(filepath.Join(other, "shards", "plan.json")); err != nil {
		t.Fatal(err)
	}
	f.m.Dataset.Fingerprint = "sha256:2"
	f.open(t, dir).Close()
	if err := os.CopyFS(filepath.Join(dir, "shards"), os.DirFS(filepath.Join(other, "shards"))); err != nil {
		t.Fatal(err)
	}
	_, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, nil)
	if !errors.As(err, new(*store.MismatchError)) || !strings.Contains(err.Error(), "00000.json") {
		t.Errorf("writer: %v", err)
	}
	if _, err := store.Open(dir); !errors.As(err, new(*store.MismatchError)) {
		t.Errorf("reader: %v", err)
	}
}

func verify(t *testing.T, dir string) store.Report {
	t.Helper()
	r, err := store.Verify(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if (r.Err() == nil) != r.Sound {
		t.Errorf("sound %v, error %v", r.Sound, r.Err())
	}
	return r
}

func TestVerify(t *testing.T) {
	f := newFixture(11, store.Float32, false)
	whole := filepath.Join(t.TempDir(), "whole")
	f.write(t, whole, 4)
	if r := verify(t, whole); !r.Sound || r.Files != 14 || len(r.Faults) != 0 || len(r.Fixes) != 0 { // 3×(2+1+1), errors, manifest
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		name, file string
		write      string // "" removes
		kind       store.Kind
		shard      int
		sound      bool
	}{
		{"damaged features", "cls/00001.npy", "x", store.Damaged, 1, false},
		{"lost features", "mean_2/00002.npy", "", store.Missing, 2, false},
		{"damaged metadata", "meta/00000.parquet", "PAR1", store.Damaged, 0, false},
		{"damaged errors", "meta/errors.parquet", "PAR1", store.Damaged, -1, false},
		{"damaged record", "shards/00001.json", "{", store.Damaged, 1, false},
		{"lost record", "shards/00002.json", "", store.Missing, 2, false},
		{"one shard more", "cls/00003.npy", "x", store.Unexpected, -1, false},
		{"another file", "notes.txt", "x", store.Unexpected, -1, false},
		{"backbone", "vit.onnx", "x", "", 0, true},
		{"left by NFS", "cls/.nfs0000000001a2b3c4", "x", "", 0, true},
		{"left by macOS", ".DS_Store", "x", "", 0, true},
		{"killed run's", ".graft-tmp-part-0-of-4-1/lock", "x", store.Leftover, -1, true},
	} {
		dir := filepath.Join(t.TempDir(), "e")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(c.file))
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		err := os.Remove(path)
		if c.write != "" {
			err = os.WriteFile(path, []byte(c.write), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := verify(t, dir)
		if c.kind == "" {
			if !r.Sound || len(r.Faults) != 0 {
				t.Errorf("%s: %+v", c.name, r)
			}
			continue
		}
		want := strings.TrimSuffix(c.file, "/lock")
		if r.Sound != c.sound || len(r.Faults) != 1 || r.Faults[0].Kind != c.kind || r.Faults[0].File != want || r.Faults[0].Shard != c.shard || len(r.Fixes) != 1 {
			t.Errorf("%s: %+v", c.name, r)
		}
		var out strings.Builder
		if err := r.Print(&out); err != nil || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "to mend: "+r.Fixes[0]) {
			t.Errorf("%s: %v, printed:\n%s", c.name, err, out.String())
		}
	}
}

func TestVerifyUnfinished(t *testing.T) {
	f := newFixture(11, store.Float32, true)
	f.m.Dataset.Name, f.m.Dataset.Limit = "my faces.csv", 9
	dir := filepath.Join(t.TempDir(), "e")
	f.writePart(t, dir, store.Part{I: 1, N: 3})
	r := verify(t, dir)
	var shards []int
	for _, fault := range r.Faults {
		if fault.Kind != store.Missing {
			t.Errorf("fault %+v", fault)
		}
		shards = append(shards, fault.Shard)
	}
	if r.Sound || r.Complete || !slices.Equal(shards, []int{0, 2}) {
		t.Errorf("%+v", r)
	}
	want := "graft extract --data 'my faces.csv' --model vit.onnx --out " + dir + " --taps cls,mean_2 --split train,val --dtype float32 --shard-rows 4 --provider cpu --flip --limit 9   #"
	if len(r.Fixes) != 1 || !strings.HasPrefix(r.Fixes[0], want) {
		t.Errorf("mend %q, want %q", r.Fixes, want)
	}
}

// Without its manifest a finished store is one whose shards are all there: that is told, and how it becomes whole again.
func TestLostManifest(t *testing.T) {
	f := newFixture(10, store.Float32, false)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir, 1)
	for _, data := range []string{"{\"format\": \"graft-emb", ""} {
		path := filepath.Join(dir, "manifest.json")
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if data == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		r := verify(t, dir)
		if r.Sound || len(r.Faults) != 1 || r.Faults[0].File != "manifest.json" || len(r.Fixes) != 1 || !strings.HasPrefix(r.Fixes[0], "graft extract") {
			t.Errorf("%q: %+v", data, r)
		}
		s, err := store.Open(dir)
		if err != nil || s.Info().Complete || s.Info().Rows != 9 || s.Info().Shards != 3 {
			t.Errorf("%q: %v", data, err)
		}
	}
	f.write(t, dir, 1)
	if r := verify(t, dir); !r.Sound {
		t.Errorf("written again: %+v", r)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"format": "graft-embeddings", "version": 9}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("a manifest of another graft: %v", err)
	}
}
