package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeRefuses: nobody opens a model to other machines without a token that cannot be guessed.
func TestServeRefuses(t *testing.T) {
	t.Setenv(envToken, "")
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"--addr 0.0.0.0:0", "wants a token", exitUsage},
		{"--addr :0", "wants a token", exitUsage},
		{"--addr 192.0.2.1:80", "wants a token", exitUsage},
		{"--addr nowhere", "--addr", exitUsage},
		{"--token-file " + file("short", "secret\n"), "6 characters can be guessed", exitFailed},
		{"--token-file " + file("empty", "\n"), "is empty", exitFailed},
		{"--token-file " + file("dir", "") + "x", "no such file", exitFailed},
		{"--timeout 0s", "--timeout", exitUsage},
		{"--addr 0.0.0.0:0 --token-file " + file("good", "0123456789abcdef\n"), "none.onnx", exitFailed}, // as far as the model
	} {
		err := newApp().RunContext(t.Context(), append([]string{"graft", "serve"}, append(strings.Fields(c.args), "none.onnx")...))
		var out strings.Builder
		if code := exitStatus(err, &out); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("serve %s: exit status %d, %q; want %d and %q", c.args, code, out.String(), c.code, c.want)
		}
	}
}
