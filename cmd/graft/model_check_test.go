package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"graft/finetune/check"
	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

// From the command line: a tiny network in int8 and float16, checked against
// float32, its stores too.
func TestModelPrecisionAndCheck(t *testing.T) {
	orttest.Require(t)
	ctx, dir := context.Background(), t.TempDir()
	float, eight, half := vittest.WriteTiny(t, dir), filepath.Join(dir, "int8.onnx"), filepath.Join(dir, "fp16.onnx")
	code, out := graft(t, ctx, "model", "export", "--weights", float, "--precision", "int8", "--out", eight, "--json", "-")
	var rewritten rewriteReport
	if err := json.Unmarshal([]byte(out), &rewritten); err != nil || code != 0 || rewritten.Products != 8 || rewritten.Precision != "int8" || rewritten.Bytes == 0 {
		t.Fatalf("status %d: %v\n%s", code, err, out)
	}
	if code, _ := graft(t, ctx, "model", "export", "--weights", float, "--precision", "fp16", "--out", half); code != 0 {
		t.Fatalf("fp16: status %d", code)
	}
	for i, model := range []string{float, eight} {
		if code, _ := graft(t, ctx, "extract", "--data", "synthetic", "--per-class", "2", "--model", model, "--provider", "cpu", "--out", filepath.Join(dir, []string{"a", "b"}[i])); code != 0 {
			t.Fatalf("extract: status %d", code)
		}
	}
	for _, args := range [][]string{
		{float, eight, "--data", "synthetic", "--per-class", "2", "--limit", "20", "--provider", "cpu", "--taps", "cls", "--json", "-"},
		{filepath.Join(dir, "a"), filepath.Join(dir, "b"), "--json", "-"},
	} {
		code, out := graft(t, ctx, append([]string{"model", "check"}, args...)...)
		var r check.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
			t.Fatalf("%v: status %d: %v\n%s", args, code, err, out)
		}
		// Above 0.99 on CPUs with VNNI; without, sums of two products saturate.
		if r.B.Precision != "int8" || len(r.Taps) != 1 || !(r.Taps[0].MinCosine > 0.98) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	for want, args := range map[int][]string{
		2: {"model", "check", float, eight},
		1: {"model", "check", float, half, "--data", "synthetic", "--provider", "cpu"}, // float16 on the CPU
	} {
		if code, _ := graft(t, ctx, args...); code != want {
			t.Errorf("%v: status %d, want %d", args, code, want)
		}
	}
	// Whatever its name, the file that is read is not written.
	hard, soft := filepath.Join(dir, "hard.onnx"), filepath.Join(dir, "soft.onnx")
	if err := errors.Join(os.Link(float, hard), os.Symlink(float, soft)); err != nil {
		t.Logf("no links here: %v", err)
	}
	for _, out := range []string{float, hard, soft} {
		before, err := os.ReadFile(out)
		if err != nil {
			continue
		}
		code, _ := graft(t, ctx, "model", "export", "--weights", float, "--precision", "int8", "--out", out)
		if after, err := os.ReadFile(out); code != 1 || err != nil || !bytes.Equal(before, after) {
			t.Errorf("onto %s: status %d, %v; want 1 and the file as it was", out, code, err)
		}
	}
	for _, args := range [][]string{
		{"--weights", float, "--out", eight},
		{"--weights", float, "--out", eight, "--precision", "int4"},
		{"--weights", float, "--out", eight, "--precision", "int8", "--image-size", "64"},
	} {
		if code, _ := graft(t, ctx, append([]string{"model", "export"}, args...)...); code != 2 {
			t.Errorf("%v: status %d, want 2", args, code)
		}
	}
}
