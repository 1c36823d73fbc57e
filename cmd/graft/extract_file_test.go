package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

// TestExtractToFile: a name that ends in .parquet is one file, unless a folder has it.
func TestExtractToFile(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	model, out := vittest.WriteTiny(t, dir), filepath.Join(dir, "part.embeddings.parquet")
	flags := []string{"extract", "--data", photos(t, 9, 1), "--model", model, "--provider", "cpu", "--out"}
	for range 2 { // the second finds it done
		if said := must(t, append(flags, out)...); strings.Contains(said, "train head") {
			t.Errorf("heads do not read the file: %s", said)
		}
	}
	if info, rows, err := store.ReadFileInfo(out); err != nil || rows != 8 || info.Taps[0].Name != "cls" || len(info.Bad) != 1 || info.Bad[0].ID != "train/dog/001.png" {
		t.Errorf("%+v, %d rows, %v", info, rows, err)
	}
	folder := filepath.Join(dir, "store.parquet")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, append(flags, folder)...)
	if _, err := store.Open(folder); err != nil {
		t.Error(err)
	}
}
