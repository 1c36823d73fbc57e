package onnx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a download left in place of a model is told as that.
func TestNotAModel(t *testing.T) {
	for content, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n": "not an ONNX model but a pointer of Git LFS",
		"<!DOCTYPE html><html><body>login</body></html>":                        "not an ONNX model but a web page",
		"": "not an ONNX model but an empty file",
	} {
		path := filepath.Join(t.TempDir(), "x.onnx")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string) (*Model, error){Open, OpenHeader} {
			if _, err := open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%q: error %v, want %s", content, err, want)
			}
		}
	}
}
