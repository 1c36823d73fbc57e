package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A shell's >(…) is a pipe by the name /dev/fd/N.
func TestJSONIntoPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no /dev/fd")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "data", "info", "--data", "synthetic", "--per-class", "1", "--json", "/dev/fd/3")
	cmd.ExtraFiles = []*os.File{w}
	got := make(chan []byte)
	go func() {
		data, _ := io.ReadAll(r)
		got <- data
	}()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if data := <-got; !json.Valid(data) {
		t.Errorf("the pipe's reader got %q", data)
	}
}

// A folder that a link leads to is filled, and the link stays.
func TestConvertIntoLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if _, log, err := runData(t, "data", "synth", "--out", link, "--per-class", "1"); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link has become %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(target, "train", "happy")); err != nil {
		t.Error(err)
	}
}
