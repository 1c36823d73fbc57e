package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
	"graft/pretrained/store"
	"graft/pretrained/taps"
	"graft/pretrained/vit/vittest"
)

// TestExtractTokens keeps tokens beside vectors, of changed images too, and looks at them with every command for stores.
func TestExtractTokens(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	e := filepath.Join(dir, "e")
	flags := []string{"extract", "--data", "synthetic", "--per-class", "4", "--model", vittest.WriteTiny(t, dir), "--out", e,
		"--taps", "all,tokens_1,tensor:blocks.0.fc1", "--flip", "--views", "4", "--view-seed", "3", "--provider", "cpu"}
	if out, err := program(t, flags...).CombinedOutput(); err != nil || !strings.Contains(string(out), "GB will be written") {
		t.Errorf("extract does not say what it writes: %v\n%s", err, out)
	}
	in := decode[store.Info](t, must(t, "embeddings", "info", e, "--json", "-"))
	if len(in.Taps) != 8 || in.Views == nil || in.Views.Count != 4 || in.Views.Seed != 3 || in.Taps[6].String() != "tokens_1 (17×32, float16, at blocks.0.residual)" {
		t.Errorf("info %+v", in)
	}
	for _, name := range []string{"tokens_1", "tokens_1.flip", "tokens_1.view2", "cls.view3", taps.Tensor("blocks.0.fc1") + ".view2"} {
		if _, err := os.Stat(filepath.Join(e, name, "00000.npy")); err != nil {
			t.Error(err)
		}
	}
	must(t, "embeddings", "verify", e)
	must(t, "embeddings", "export", e, "--taps", "tokens_1", "--split", "train", "--out", filepath.Join(dir, "x.npy"))
	must(t, "embeddings", "export", e, "--out", filepath.Join(dir, "all.csv"))
	must(t, "train", "head", "--embeddings", e, "--taps", "all", "--out", filepath.Join(dir, "run"))
	must(t, flags...) // on a finished store
	for name, c := range map[string]struct {
		args []string
		code int
		part string
	}{
		"csv":        {[]string{"embeddings", "export", e, "--taps", "tokens_1", "--out", filepath.Join(dir, "x.csv")}, exitFailed, "no vector"},
		"head":       {[]string{"train", "head", "--embeddings", e, "--taps", "tokens_1", "--out", filepath.Join(dir, "no")}, exitUsage, `no tap "tokens_1"`},
		"other seed": {append(flags, "--view-seed", "4"), exitFailed, "views: the store has 4 by hflip,shift=0.06,rotate=12,scale=0.15,contrast=0.3, seed 3, this run wants"},
		"few views":  {append(flags, "--views", "2"), exitUsage, "want more than 2"},
		"changes":    {append(flags, "--view-augment", "turn=3"), exitUsage, `"turn"`},
		"mixup":      {append(flags, "--view-augment", "mixup=0.2", "--out", filepath.Join(dir, "no")), exitFailed, "mixup"},
		"no block":   {append(flags, "--taps", "tokens_3"), exitFailed, "no block 3"},
	} {
		cmd := program(t, c.args...)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.part) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", name, cmd.ProcessState.ExitCode(), c.code, c.part, out)
		}
	}
}
