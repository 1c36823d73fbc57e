package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

// staticProgram builds graft without cgo: one file that needs nothing else.
func staticProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graft.exe")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("without cgo: %v\n%s", err, out)
	}
	return path
}

// TestWithoutCgo: a build without cgo does the whole job on provider go, whose features are ONNX Runtime's up to rounding,
// and says what other providers need.
func TestWithoutCgo(t *testing.T) {
	dir, graft := t.TempDir(), staticProgram(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	run := func(status int, args ...string) string {
		t.Helper()
		cmd := exec.Command(graft, args...)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+at("cache"))
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Fatalf("graft %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, status, out)
		}
		return string(out)
	}
	facePNG(t, at("face.png"))
	model := vittest.WriteTiny(t, dir)
	data := []string{"--data", "synthetic", "--per-class", "4"}
	extract := append([]string{"extract", "--model", model, "--out", at("go"), "--taps", "all"}, data...)
	if out := run(exitDone, extract...); !strings.Contains(out, "provider auto is go") || !strings.Contains(out, "taps on go") {
		t.Errorf("extract does not say which provider it took, and why:\n%s", out)
	}
	run(exitDone, "train", "head", "--embeddings", at("go"), "--out", at("run"))
	run(exitDone, append([]string{"eval", at("run"), "--split", "private-test"}, data...)...)
	run(exitDone, "export", at("run"), "--out", at("whole.onnx"))
	run(exitDone, append([]string{"train", "cnn", "--epochs", "1", "--out", at("cnn")}, data...)...)
	run(exitDone, "export", at("cnn"), "--out", at("cnn.onnx"))
	for _, m := range []string{"run", "whole.onnx", "cnn", "cnn.onnx"} {
		if out := run(exitDone, "predict", at(m), at("face.png")); strings.Count(out, "%") < 3 {
			t.Errorf("predict %s: %s", m, out)
		}
	}
	for _, args := range [][]string{append(extract, "--provider", "cpu"), {"predict", at("cnn.onnx"), at("face.png"), "--provider", "cuda"}, {"setup"}} {
		if out := run(exitFailed, args...); !strings.Contains(out, "built without cgo") || !strings.Contains(out, "CGO_ENABLED=1") {
			t.Errorf("%v: %s", args, out)
		}
	}
	if out := run(exitDone, "doctor"); !strings.Contains(out, "CGO_ENABLED=1 go build") || !strings.Contains(out, "go: runs") {
		t.Errorf("doctor does not say what to do:\n%s", out)
	}
	t.Run("features", func(t *testing.T) {
		orttest.Require(t)
		must(t, append([]string{"extract", "--model", model, "--out", at("cpu"), "--taps", "all", "--provider", "cpu"}, data...)...)
		compareStores(t, at("cpu"), at("go"))
		other := run(exitFailed, append(extract, "--out", at("cpu"), "--provider", "go")...)
		if !strings.Contains(other, "provider: the store has cpu, this run wants go") {
			t.Errorf("a store of another provider: %s", other)
		}
		if out := run(exitFailed, append(extract, "--out", at("cpu"))...); !strings.Contains(out, "built without cgo") {
			t.Errorf("auto on a store that cpu began: %s", out)
		}
	})
}

// compareStores wants the same features of all rows and taps, up to rounding.
func compareStores(t *testing.T, want, got string) {
	t.Helper()
	var x [2]store.Matrix
	for i, dir := range []string{want, got} {
		s, err := store.Open(dir)
		if err == nil {
			x[i], err = s.Matrix(nil, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var distance, size float64
	for i, v := range x[0].X {
		distance += math.Pow(float64(v)-float64(x[1].X[i]), 2)
		size += float64(v) * float64(v)
	}
	if d := math.Sqrt(distance / size); len(x[0].X) != len(x[1].X) || !(d <= 1e-5) {
		t.Errorf("features of go are %.2g away from ONNX Runtime's", d)
	}
}
