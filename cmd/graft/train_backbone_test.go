package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"graft/finetune/run"
	"graft/onnx/ort/orttest"
	"graft/pretrained/vit/vittest"
)

// TestKilledTuning kills a fine-tuning at five moments, one after the other, and wants the bytes of one that was never
// stopped.
func TestKilledTuning(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	flags := []string{"train", "backbone", "--data", "synthetic", "--per-class", "40", "--model", vittest.WriteTiny(t, dir), "--unfreeze", "1", "--views", "3",
		"--epochs", "6", "--batch", "8", "--threads", "1", "--provider", "cpu"}
	whole, killed := filepath.Join(dir, "whole"), filepath.Join(dir, "killed")
	must(t, append(flags, "--out", whole)...)
	checkpoint := filepath.Join(killed, run.CheckpointFile)
	for _, moment := range []func(){
		func() { waitFor(t, filepath.Join(killed+".tokens", "manifest.json")) },  // begun to keep tokens
		func() { waitFor(t, filepath.Join(killed+".tokens", "groups.parquet")) }, // kept them, and fits the head
		func() { waitFor(t, checkpoint) },                                        // an epoch is done
		func() { changed(t, checkpoint) },                                        // another
		func() { changed(t, checkpoint); time.Sleep(3 * time.Millisecond) },      // and in the middle of the next
	} {
		victim := program(t, append(flags, "--out", killed)...)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		moment()
		_ = victim.Process.Kill() // SIGKILL
		_ = victim.Wait()
		if _, err := run.ReadConfig(killed); err == nil {
			t.Fatal("the training was done before it was killed: nothing was tested")
		}
	}
	must(t, append(flags, "--out", killed)...)
	for name, want := range folder(t, whole) {
		got, err := os.ReadFile(filepath.Join(killed, name))
		if err != nil {
			t.Error(err)
		}
		timed := name == "history.csv" || strings.HasSuffix(name, ".json") // which name the folder, or tell seconds
		if !timed && string(got) != want {
			t.Errorf("%s differs", name)
		}
	}
	sameFolder(t, whole+".tokens", killed+".tokens")
}

// changed waits until a file is another one.
func changed(t *testing.T, path string) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if now, err := os.Stat(path); err == nil && !os.SameFile(before, now) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s stayed as it was", path)
}
