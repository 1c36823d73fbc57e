//go:build !cgo

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"graft/pretrained/vit/vittest"
)

// TestWithoutCgo: a build without cgo does all but run ONNX models, and there says
// what to do.
func TestWithoutCgo(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	facePNG(t, at("face.png"))
	must(t, "train", "cnn", "--data", "synthetic", "--per-class", "4", "--epochs", "1", "--out", at("cnn"))
	must(t, "eval", at("cnn"))
	must(t, "predict", at("cnn"), at("face.png"))
	must(t, "export", at("cnn"), "--out", at("cnn.onnx"))
	must(t, "model", "info", at("cnn.onnx"))
	model := vittest.WriteTiny(t, dir)
	for _, args := range [][]string{
		{"extract", "--data", "synthetic", "--per-class", "1", "--model", model, "--out", at("store")},
		{"predict", at("cnn.onnx"), at("face.png")},
		{"setup"},
	} {
		cmd := program(t, args...)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "built without cgo") || !strings.Contains(string(out), "CGO_ENABLED=1") {
			t.Errorf("%v: %v, %s", args, cmd.ProcessState, out)
		}
	}
	if out := must(t, "doctor"); !strings.Contains(out, "→ CGO_ENABLED=1 go build") {
		t.Errorf("doctor does not say what to do:\n%s", out)
	}
}
