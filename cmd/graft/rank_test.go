package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/rank"
	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

func TestRank(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	model, text := vittest.WriteTiny(t, dir), filepath.Join(dir, "text.onnx")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	faces := []string{"rank", "--data", "synthetic", "--per-class", "10", "--provider", "cpu"}
	r := decode[rank.Report](t, must(t, append(faces, model, "--sample", "42", "--taps", "cls,mean_1", "--threads", "1", "--json", "-")...))
	if r.Images != 42 || len(r.Backbones) != 1 || len(r.Backbones[0].Taps) != 2 || r.Recommendation.Backbone != model || len(r.Recommendation.Equal) != 1 {
		t.Errorf("report %+v, want 42 images, one backbone, two taps", r)
	}
	out := must(t, append(faces, model, "--split", "public-test,private-test", "--sample", "0")...)
	for _, want := range []string{"56 images of synthetic (public-test, private-test)", "probe", model, "no pretrained weights", "Take "} {
		if !strings.Contains(out, want) {
			t.Errorf("rank printed no %q:\n%s", want, out)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	live := context.Background()
	for _, c := range []struct {
		name string
		ctx  context.Context
		args []string
		want int
	}{
		{"no backbone", live, faces, exitUsage},
		{"no dataset", live, []string{"rank", model}, exitUsage},
		{"bad sample", live, append(faces, model, "--sample", "-1"), exitUsage},
		{"bad batch", live, append(faces, model, "--batch", "0"), exitUsage},
		{"bad provider", live, append(faces, model, "--provider", "abacus"), exitUsage},
		{"unknown backbone", live, append(faces, model, "vit_b_17"), exitFailed},
		{"not pulled", live, append(faces, model, "vit_b_16", "--dir", dir), exitFailed},
		{"no model", live, append(faces, text), exitFailed},
		{"unknown tap", live, append(faces, model, "--taps", "cls_9"), exitUsage},
		{"unknown split", live, append(faces, model, "--split", "exam"), exitFailed},
		{"interrupted", cancelled, append(faces, model), exitInterrupted},
	} {
		if code, out := graft(t, c.ctx, c.args...); code != c.want {
			t.Errorf("%s: exit status %d, want %d; output:\n%s", c.name, code, c.want, out)
		}
	}
}
