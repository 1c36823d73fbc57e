// Package foreigntest gives tests the networks of other makers that lie in graph/raise/testdata: small ones of torchvision
// and timm, with random weights, as both of torch's exporters write them (scripts/fixtures_raise.py).
package foreigntest

import (
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/pretrained/checkpoint"
)

// Shape is that of the pixels that all of the networks were run on.
var Shape = []int{2, 3, 32, 32}

// Network is one of them, open.
type Network struct {
	Name   string // such as resnet_basic, whichever exporter wrote it
	Path   string
	Model  *onnx.Model
	Pixels []float32 // of Shape
	Output []float32 // that ONNX Runtime gave for them
}

// Each runs a test for each network of the folder, which is graph/raise/testdata as the test sees it.
func Each(t *testing.T, folder string, test func(t *testing.T, n Network)) {
	t.Helper()
	expected, err := checkpoint.Open(filepath.Join(folder, "foreign.safetensors"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer expected.Close()
	paths, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files in %s, %v", len(paths), folder, err)
	}
	for _, path := range paths {
		file := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(file, func(t *testing.T) {
			n := Network{Name: file[:strings.LastIndex(file, "_")], Path: path}
			if n.Model, err = onnx.Open(path); err != nil {
				t.Fatal(err)
			}
			defer n.Model.Close()
			if n.Pixels, err = expected.Float32("pixels"); err == nil {
				n.Output, err = expected.Float32(file + ".y")
			}
			if err != nil {
				t.Fatal(err)
			}
			test(t, n)
		})
	}
}
