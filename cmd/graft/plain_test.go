package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"graft/pretrained/vit/vittest"
)

func TestPlainWriter(t *testing.T) {
	const text = "label \x1b]0;owned\a\x1b[2J ü 猫\tnext\nä\u202eexe.\u009b31m \xff\x9b31m\r"
	const want = `label \u001b]0;owned\u0007\u001b[2J ü 猫` + "\tnext\n" + `ä\u202eexe.\u009b31m \xff\x9b31m\u000d`
	for step := 1; step <= len(text); step++ { // writes end anywhere, inside runes too
		var out bytes.Buffer
		w := &plainWriter{to: &out}
		for i := 0; i < len(text); i += step {
			if n, err := w.Write([]byte(text[i:min(i+step, len(text))])); err != nil || n != min(step, len(text)-i) {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if out.String() != want {
			t.Fatalf("in writes of %d bytes: %q, want %q", step, out.String(), want)
		}
	}
}

func TestPlainJSONIsTheSame(t *testing.T) {
	in := map[string]string{"a": "\u009b\u202e\x7f ü \x1b"}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := (&plainWriter{to: &out}).Write(data); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["a"] != in["a"] {
		t.Errorf("%q is %q, %v", out.String(), back["a"], err)
	}
}

// TestWritesThatFail: what cannot be said, as on a full disk, is a failure, however it is printed.
func TestWritesThatFail(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range []string{"--help", "version", "model list", "train head --help", "man"} {
		cmd := program(t, strings.Fields(args)...)
		cmd.Stdout = full
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed {
			t.Errorf("%s: exit status %d, want %d", args, code, exitFailed)
		}
	}
}

// TestWrongUsage: numbers that no machine has room for, and words that no model knows, are wrong usage.
func TestWrongUsage(t *testing.T) {
	model := vittest.WriteTiny(t, t.TempDir())
	for _, args := range []string{
		"eval nothing --threads 9999999999", "train head --embeddings x --out y --threads 1025", "bench --cases head --rows 1000000000 --dim 100000",
		"extract --data synthetic --out x --provider go --model " + model + " --taps nothing",
		"extract --data synthetic --out x --provider go --model " + model + " --batch 100000000",
	} {
		if code, out := graft(t, t.Context(), strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: exit status %d, want %d: %s", args, code, exitUsage, out)
		}
	}
}
