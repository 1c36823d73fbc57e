package main

import (
	"path/filepath"
	"testing"

	"graft/finetune/compare"
	"graft/finetune/rank"
	"graft/onnx/ort/orttest"
	"graft/pretrained/checkpoint"
	"graft/pretrained/vit"
)

// TestParameters: model export, model info, rank and compare tell the same number of a network's parameters, the one that
// the checkpoint holds: of layer scales and class tokens, which an export multiplies and adds, with a classifier, in int8
// and float16, tuned, and below a head.
func TestParameters(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	exported := func(weights string, more ...string) int64 {
		args := append([]string{"model", "export", "--weights", weights, "--json", "-"}, more...)
		return decode[vit.Summary](t, must(t, args...)).Parameters
	}
	told := func(path string) int64 {
		return decode[modelReport](t, must(t, "model", "info", path, "--json", "-")).Parameters
	}
	weights := "../../pretrained/vit/testdata/dinov2_reg_timm.safetensors"
	want, got := elementsOf(t, weights), map[string]int64{}
	model, head, tuned := in("vit.onnx"), in("head"), in("tuned")
	got["export"] = exported(weights, "--heads", "2", "--out", model)
	got["info"] = told(model)
	for _, precision := range []string{"int8", "fp16"} {
		got["export in "+precision] = exported(model, "--precision", precision, "--out", in(precision+".onnx"))
		got["info in "+precision] = told(in(precision + ".onnx"))
	}
	data := []string{"--data", "synthetic", "--per-class", "10", "--provider", "cpu"}
	ranked := decode[rank.Report](t, must(t, append([]string{"rank", model, in("int8.onnx"), "--sample", "42", "--taps", "cls", "--json", "-"}, data...)...))
	got["rank"], got["rank in int8"] = ranked.Backbones[0].Parameters, ranked.Backbones[1].Parameters

	must(t, append([]string{"extract", "--model", model, "--out", in("store")}, data...)...)
	must(t, "train", "head", "--embeddings", in("store"), "--out", head)
	must(t, append([]string{"train", "backbone", "--model", model, "--unfreeze", "1", "--epochs", "1", "--out", tuned}, data...)...)
	runs := decode[[]compare.Comparison](t, must(t, "compare", head, tuned, "--json", "-"))
	for i, name := range []string{"head", "tuned"} {
		got["compare, "+name] = runs[i].BackboneParameters
	}
	must(t, "export", tuned, "--backbone", "--out", in("tuned.onnx"))
	got["tuned"] = told(in("tuned.onnx"))
	for what, n := range got {
		if n != want {
			t.Errorf("%s: %d parameters, the checkpoint has %d", what, n, want)
		}
	}
	// Below a head there is no classifier of the checkpoint's.
	must(t, "export", head, "--model", model, "--out", in("whole.onnx"))
	classifier := elementsOf(t, weights, "head.weight", "head.bias")
	if n, sum := told(in("whole.onnx")), want-classifier+int64(runs[0].Parameters); n != sum {
		t.Errorf("with a head %d parameters, want %d", n, sum)
	}
}

// elementsOf counts the numbers in a checkpoint, or in some of its tensors.
func elementsOf(t *testing.T, path string, names ...string) (sum int64) {
	t.Helper()
	f, err := checkpoint.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names == nil {
		names = f.Names()
	}
	for _, name := range names {
		values, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		sum += int64(len(values))
	}
	return sum
}
