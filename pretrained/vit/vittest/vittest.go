// Package vittest makes tiny vision transformers for tests.
package vittest

import (
	"path/filepath"
	"testing"

	"graft/pretrained/vit"
)

// Config is the network that WriteTiny writes: width 32, 2 blocks, 4 heads,
// 32×32 pixels in patches of 8, 5 classes.
var Config = vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 4, MLP: 64, Classes: 5, Eps: 1e-6}

// WriteTiny writes a tiny random network (about 100 kB, the same bytes each
// time) as an ONNX file in dir and returns its path. Its outputs are cls, mean,
// cls_1, mean_1, cls_2, mean_2 ([N,32]) and logits ([N,5], all zero, as
// torchvision starts classifiers).
func WriteTiny(t testing.TB, dir string) string {
	t.Helper()
	return Write(t, dir, Config, 1)
}

// Write is WriteTiny for a network of any size and seed.
func Write(t testing.TB, dir string, c vit.Config, seed uint64) string {
	t.Helper()
	m, err := vit.RandomConfig(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tiny.onnx")
	if err := m.Export(t.Context(), path, vit.ExportOptions{Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return path
}
