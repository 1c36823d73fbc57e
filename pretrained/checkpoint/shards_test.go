package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/internal/filehash"
)

// Shards are read by their index, by their folder, without an index too; one alone says what it is.
func TestShards(t *testing.T) {
	const index = `{"metadata": {}, "weight_map": {"model.a": "m-00001-of-00002.safetensors", "model.b": "m-00002-of-00002.safetensors"}}`
	for _, c := range []struct {
		name, index, open string
		without           int // a shard that is missing
		mistaken          string
	}{
		{"index", index, "m.safetensors.index.json", 0, ""},
		{"folder", index, "", 0, ""},
		{"folder without an index", "", "", 0, ""},
		{"one shard", index, "m-00001-of-00002.safetensors", 0, "one of 2 shards, which has a part of the tensors: name the index (m.safetensors.index.json)"},
		{"a missing shard", index, "", 2, "m-00002-of-00002.safetensors: no such file"},
		{"a missing shard and no index", "", "", 2, "1 of 2 shards, and no index"},
		{"no index", "{}", "m.safetensors.index.json", 0, "it has no weight_map"},
		{"an index of elsewhere", `{"weight_map": {"model.a": "../m-00001-of-00002.safetensors"}}`, "", 0, "outside its folder"},
		{"an index of others", strings.Replace(index, "model.a", "model.c", 1), "", 0, `holds tensor "model.a", which the index has in ""`},
		{"an index of more", strings.Replace(index, `"model.b"`, `"model.c": "m-00002-of-00002.safetensors", "model.b"`, 1), "", 0, `lacks tensor "model.c"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, name := range []string{"model.a", "model.b"} {
				if i+1 == c.without {
					continue
				}
				shard := filepath.Join(dir, fmt.Sprintf("m-%05d-of-00002.safetensors", i+1))
				if err := WriteSafetensors(shard, []Tensor{{name, []int{1}, []float32{float32(i)}, false}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			if c.index != "" {
				if err := os.WriteFile(filepath.Join(dir, "m.safetensors.index.json"), []byte(c.index), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(filepath.Join(dir, c.open), "")
			if c.mistaken != "" {
				if err == nil || !strings.Contains(err.Error(), c.mistaken) {
					t.Errorf("error %v, want one with %s", err, c.mistaken)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b, err := f.Float32("b")
			if err != nil || b[0] != 1 || strings.Join(f.Names(), " ") != "a b" || f.Key() != "model" {
				t.Errorf("%q of %q, b %v (%v)", f.Names(), f.Key(), b, err)
			}
			lines := ""
			for i := range 2 {
				sum, err := filehash.File(t.Context(), filepath.Join(dir, fmt.Sprintf("m-%05d-of-00002.safetensors", i+1)))
				if err != nil {
					t.Fatal(err)
				}
				lines += sum + "\n"
			}
			want, _ := filehash.Reader(strings.NewReader(lines))
			if got, err := f.SHA256(t.Context()); err != nil || got != want {
				t.Errorf("hash %s (%v), want %s", got, err, want)
			}
		})
	}
}

// A folder with one file of weights is that file, and with several a question.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, ""); err == nil || !strings.Contains(err.Error(), "a folder without weights") {
		t.Errorf("got %v", err)
	}
	for i, name := range []string{"model.safetensors", "other.safetensors"} {
		if err := WriteSafetensors(filepath.Join(dir, name), []Tensor{{"a", []int{1}, []float32{1}, false}}, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Open(dir, "")
		if i == 1 {
			if err == nil || !strings.Contains(err.Error(), "name one of \"model.safetensors, other.safetensors\"") {
				t.Errorf("got %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}
