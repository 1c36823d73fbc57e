package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/preprocess"
	"graft/pretrained/store"
)

// TestStoreBegunWithALine goes on with stores that graft of before version 2 began,
// whose preprocessing is a line, and ends with what that graft would have written.
func TestStoreBegunWithALine(t *testing.T) {
	graph := preprocess.Spec{Size: 224, Filter: "bilinear", Crop: 0.875, Channels: 3, Normalization: preprocess.ImageNet}
	host := preprocess.Spec{Host: true, Size: 640, Filter: "bilinear", Crop: 0.875, Channels: 3, Output: "cls_8", Pool: "mean",
		Normalization: preprocess.Normalization{Mean: [3]float32{0.5, 0.25, 0.125}, Std: [3]float32{0.25, 0.25, 0.25}}}
	for name, spec := range map[string]preprocess.Spec{"own": graph, "foreign": host} {
		t.Run(name, func(t *testing.T) {
			begun, err := os.ReadFile(filepath.Join("testdata", "begun_"+name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "manifest.json")
			if err := os.WriteFile(path, begun, 0o644); err != nil {
				t.Fatal(err)
			}
			f := newFixture(5, store.Float32, false)
			m, err := store.Begun(dir)
			if err != nil {
				t.Fatal(err)
			}
			f.m = *m
			f.feats = nil
			for _, tap := range m.Taps {
				f.feats = append(f.feats, random(rand.New(rand.NewPCG(1, 2)), 5*tap.Dim))
			}
			for i := range f.rows {
				r := &f.rows[i]
				r.Split, r.LabelName = "private-test", m.Dataset.Classes[r.Label]
			}
			f.m.Backbone.Preprocessing = graph
			f.m.Backbone.Preprocessing.Crop = 1
			if _, err := store.OpenWriter(context.Background(), dir, f.m, store.WriterOptions{}, nil); err == nil || !strings.Contains(err.Error(), "preprocessing") {
				t.Errorf("another preprocessing: %v", err)
			}
			f.m.Backbone.Preprocessing = spec
			f.writePart(t, dir, store.Part{I: 1, N: 3})
			f.write(t, dir)
			wantOld(t, dir, begun)
		})
	}
}

// wantOld checks a finished store that was begun with the bytes begun.
func wantOld(t *testing.T, dir string, begun []byte) {
	t.Helper()
	sum := sha256.Sum256(begun)
	data, err := os.ReadFile(filepath.Join(dir, "shards", "00001.json"))
	if err != nil {
		t.Fatal(err)
	}
	var record store.Record
	if err := json.Unmarshal(data, &record); err != nil || record.Plan != hex.EncodeToString(sum[:]) {
		t.Errorf("plan %s (%v), want %x", record.Plan, err, sum)
	}
	if data, err = os.ReadFile(filepath.Join(dir, "manifest.json")); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(begun), `"shards"`)
	if !strings.HasPrefix(string(data), head) {
		t.Errorf("ended as\n%s", data)
	}
	if _, err := store.Open(dir); err != nil {
		t.Error(err)
	}
}
