package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestRealErrorsAreShown: an error that comes while Ctrl-C is on its way, or with
// it, does not disappear behind it.
func TestRealErrorsAreShown(t *testing.T) {
	full := errors.New("no space left on device")
	for _, c := range []struct {
		err        error
		code       int
		says, also string
	}{
		{context.Canceled, exitInterrupted, "graft: interrupted\n", ""},
		{fmt.Errorf("extract to x: %w", errors.Join(context.Canceled, fmt.Errorf("a: %w", context.Canceled))), exitInterrupted, "graft: interrupted\n", ""},
		{resumable{fmt.Errorf("x: %w", context.Canceled)}, exitInterrupted, "graft: interrupted; start", ""},
		{resumable{fmt.Errorf("x: %w", full)}, exitFailed, "graft: x: no space", ""},
		{full, exitFailed, "graft: no space", ""},
		{errors.Join(fmt.Errorf("x: %w", context.Canceled), full), exitInterrupted, "graft: x: context canceled\nno space", "graft: interrupted\n"},
		{usageErrorf("--x: %v", full), exitUsage, "graft: --x", ""},
	} {
		var out strings.Builder
		if code := exitStatus(c.err, &out); code != c.code || !strings.HasPrefix(out.String(), c.says) || !strings.Contains(out.String(), c.also) || c.also == "" && strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v: exit status %d, want %d; says %q", c.err, code, c.code, out.String())
		}
	}
}

// Only commands that keep what they have done may promise to go on.
func TestInterruptions(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	for args, goesOn := range map[string]bool{
		"extract --data synthetic --model DIR/no.onnx --out DIR/x":  true,
		"train cnn --data synthetic --out DIR/x":                    true,
		"train vit --data synthetic --out DIR/x":                    true,
		"train head --embeddings DIR/no --out DIR/x --recipe study": true,
		"train head --embeddings DIR/no --out DIR/x":                false,
		"model pull nothing":                                        true,
		"setup --from nowhere":                                      true,
		"demo --data DIR/no.csv --offline --out DIR/demo":           true,
		"eval DIR/no":                                         false,
		"predict DIR/no face.png":                             false,
		"export DIR/no --out DIR/x.onnx":                      false,
		"compare DIR/no":                                      false,
		"data info --data DIR/no.csv":                         false,
		"embeddings info DIR/no":                              false,
		"model info DIR/no.onnx":                              false,
		"import --model cnn --weights DIR/no.pth --out DIR/x": false,
		"model export --weights DIR/no.pth --arch vit_b_16 --out DIR/x.on": false,
	} {
		app := newApp()
		words := append([]string{"graft"}, strings.Fields(strings.ReplaceAll(args, "DIR", filepath.ToSlash(dir)))...)
		err := app.RunContext(cancelled, flagsFirst(app.Commands, words))
		if err == nil {
			t.Errorf("%s: no error", args)
			continue
		}
		if got := strings.Contains(interruption(err), "go on"); got != goesOn {
			t.Errorf("%s: %q after %v", args, interruption(err), err)
		}
	}
}
