package store

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"graft/preprocess/augment"
	"graft/preprocess/duplicate"
	"graft/preprocess/synthetic"
)

func validManifest() *Manifest {
	sum := strings.Repeat("0", 64)
	return &Manifest{
		Format: Format, Version: Version, Dataset: Dataset{Classes: []string{"a"}, Splits: []string{"train"}},
		Taps: []Tap{{Name: "cls", Dim: 4}}, Flip: true, DType: Float32, ShardRows: 8, Samples: 12,
		Errors: sum,
		Shards: []Shard{{First: 8, Count: 4, Rows: 3,
			Files: map[string]string{"cls/00001.npy": sum, "cls.flip/00001.npy": sum, "meta/00001.parquet": sum}}},
	}
}

func TestParseManifest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Manifest)
		want   string
	}{
		"valid":          {func(*Manifest) {}, ""},
		"format":         {func(m *Manifest) { m.Format = "x" }, "format"},
		"version":        {func(m *Manifest) { m.Version = 3 }, "version 3"},
		"dtype":          {func(m *Manifest) { m.DType = "int8" }, "int8"},
		"shard rows":     {func(m *Manifest) { m.ShardRows = 0 }, "shard_rows"},
		"samples":        {func(m *Manifest) { m.Samples = -1 }, "samples"},
		"no taps":        {func(m *Manifest) { m.Taps = nil }, "no taps"},
		"path":           {func(m *Manifest) { m.Taps[0].Name = "../cls" }, `tap "../cls"`},
		"absolute":       {func(m *Manifest) { m.Taps[0].Name = "/etc" }, `tap "/etc"`},
		"meta as tap":    {func(m *Manifest) { m.Taps[0].Name = "meta" }, `tap "meta"`},
		"flip as tap":    {func(m *Manifest) { m.Taps[0].Name = "cls.flip" }, `tap "cls.flip"`},
		"twice":          {func(m *Manifest) { m.Taps = append(m.Taps, m.Taps[0]) }, `tap "cls"`},
		"dim":            {func(m *Manifest) { m.Taps[0].Dim = 1 << 30 }, "values a row"},
		"shape":          {func(m *Manifest) { m.Taps[0].Shape = []int{2, 3} }, "its shape [2 3]"},
		"vast shape":     {func(m *Manifest) { m.Taps[0].Shape = []int{1 << 40, 1 << 40} }, "its shape"},
		"empty shape":    {func(m *Manifest) { m.Taps[0].Shape = []int{0, 4} }, "its shape"},
		"shape of one":   {func(m *Manifest) { m.Taps[0].Shape = []int{4} }, "its shape"},
		"tap's dtype":    {func(m *Manifest) { m.Taps[0].DType = "int8" }, "int8"},
		"same dtype":     {func(m *Manifest) { m.Taps[0].DType = Float32 }, "left out"},
		"few views":      {func(m *Manifest) { m.Views = &Views{Count: 2, Augment: augment.Pipeline{Rotate: 1}} }, "2 views"},
		"many views":     {func(m *Manifest) { m.Views = &Views{Count: 1 << 20, Augment: augment.Pipeline{Rotate: 1}} }, "views"},
		"idle views":     {func(m *Manifest) { m.Views = &Views{Count: 3} }, "change nothing"},
		"mixing views":   {func(m *Manifest) { m.Views = &Views{Count: 3, Augment: augment.Pipeline{Mixup: 0.2}} }, "mixup"},
		"cropped views":  {func(m *Manifest) { m.Views = &Views{Count: 3, Augment: augment.Pipeline{Crop: 9}} }, "crop"},
		"wild views":     {func(m *Manifest) { m.Views = &Views{Count: 3, Augment: augment.Pipeline{Rotate: 900}} }, "rotate=900"},
		"shard twice":    {func(m *Manifest) { m.Shards = append(m.Shards, m.Shards[0]) }, "in order"},
		"shard range":    {func(m *Manifest) { m.Shards[0].Count = 5 }, "covers 5"},
		"rows":           {func(m *Manifest) { m.Shards[0].Rows = 5 }, "5 rows of 4"},
		"no errors":      {func(m *Manifest) { m.Errors = "" }, "1 samples were left out"},
		"idle errors":    {func(m *Manifest) { m.Shards[0].Rows = 4 }, "0 samples were left out"},
		"batch":          {func(m *Manifest) { m.Batch = -1 }, "batch"},
		"large batch":    {func(m *Manifest) { m.Batch = 1 << 20 }, "batch"},
		"records as tap": {func(m *Manifest) { m.Taps[0].Name = "shards" }, `tap "shards"`},
		"file missing":   {func(m *Manifest) { delete(m.Shards[0].Files, "meta/00001.parquet") }, "meta/00001.parquet"},
		"file elsewhere": {func(m *Manifest) { m.Shards[0].Files["../x"] = strings.Repeat("0", 64) }, "4 files"},
	} {
		t.Run(name, func(t *testing.T) {
			m := validManifest()
			c.change(m)
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseManifest(data)
			if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzManifest: whatever is accepted names only files inside the store.
func FuzzManifest(f *testing.F) {
	data, _ := json.Marshal(validManifest())
	f.Add(data)
	f.Add([]byte(`{"format":"graft-embeddings","version":1,"taps":[{"name":"..","dim":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		for _, s := range m.Shards {
			for path := range s.Files {
				if !filepath.IsLocal(filepath.FromSlash(path)) || strings.Count(path, "/") != 1 {
					t.Errorf("accepted a file at %q", path)
				}
			}
		}
	})
}

func validRecord() Record {
	s := validManifest().Shards[0]
	return Record{Plan: "p", Shard: s, Bad: []BadRow{{9, "x", "train", 0, "y"}}}
}

func TestParseRecord(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Record)
		want   string
	}{
		"valid":     {func(*Record) {}, ""},
		"another":   {func(r *Record) { r.First = 0 }, "wanted 8"},
		"range":     {func(r *Record) { r.Count = 5 }, "covers 5"},
		"rows":      {func(r *Record) { r.Rows = 4 }, "do not make"},
		"elsewhere": {func(r *Record) { r.Files["../x"] = strings.Repeat("0", 64) }, "4 files"},
	} {
		r := validRecord()
		c.change(&r)
		data, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseRecord(data, validManifest(), 1)
		if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// FuzzRecord: whatever is accepted names only files of its shard.
func FuzzRecord(f *testing.F) {
	r := validRecord()
	data, _ := r.encode()
	f.Add(data)
	f.Add([]byte(`{"first":8}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data, validManifest(), 1)
		if err != nil {
			return
		}
		for path := range r.Files {
			if !strings.Contains(path, "/00001.") || strings.Contains(path, "..") {
				t.Errorf("accepted a file at %q", path)
			}
		}
	})
}

func metaBytes(t testing.TB, rows []Row) []byte {
	var b bytes.Buffer
	if err := writeMeta(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMeta(t *testing.T) {
	classes := []string{"angry", "happy"}
	rows := []Row{{Index: 0, ID: "a", Split: "train", Label: 1, LabelName: "happy"}, {Index: 7, ID: "ünï", Split: "val", LabelName: "angry"}, {Index: 8, Split: "val", LabelName: "angry"}}
	testMeta(t, classes, rows)
	rows[0].Content, rows[1].Content.Group = duplicate.Of(synthetic.Face(1, 0, 0)), "ann"
	testMeta(t, classes, rows)
}

func testMeta(t *testing.T, classes []string, rows []Row) {
	data := metaBytes(t, rows)
	if !bytes.Equal(data, metaBytes(t, rows)) {
		t.Error("the same rows gave different bytes")
	}
	got, err := readMeta(data, 3, classes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if got[i] != rows[i] {
			t.Errorf("row %d: %v, want %v", i, got[i], rows[i])
		}
	}
	for name, bad := range map[string]func() ([]byte, int, []string){
		"rows":    func() ([]byte, int, []string) { return data, 4, classes },
		"classes": func() ([]byte, int, []string) { return data, 3, classes[:1] },
		"name":    func() ([]byte, int, []string) { return data, 3, []string{"angry", "sad"} },
		"cut off": func() ([]byte, int, []string) { return data[:len(data)/2], 3, classes },
		"empty":   func() ([]byte, int, []string) { return nil, 3, classes },
	} {
		if _, err := readMeta(bad()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzMeta damages a metadata file: an error or rows, never a panic. Store checks
// the file's hash before it parses it.
func FuzzMeta(f *testing.F) {
	f.Add(metaBytes(f, []Row{{Index: 0, ID: "a", Split: "train", Label: 1, LabelName: "b"}, {Index: 1, ID: "c", Split: "train", LabelName: "a", Content: duplicate.Content{Group: "g"}}}))
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if rows, err := readMeta(data, 2, []string{"a", "b"}); err == nil && len(rows) != 2 {
			t.Errorf("%d rows, want 2", len(rows))
		}
	})
}
