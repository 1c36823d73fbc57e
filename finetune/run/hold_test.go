package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/run"
)

// TestHold wants a folder to be one training's at a time, and to be gone where it wrote nothing.
func TestHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "a")
	unfinished, release, err := run.Hold(dir, false)
	if err != nil || unfinished {
		t.Fatalf("unfinished %v, %v", unfinished, err)
	}
	for _, force := range []bool{false, true} {
		if _, _, err := run.Hold(dir, force); err == nil || !strings.Contains(err.Error(), "another training is writing there") {
			t.Errorf("held twice, force %v: %v", force, err)
		}
	}
	if err := run.StartFolder(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run.Hold(dir, false); err == nil {
		t.Error("the folder was let go of when it was emptied")
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("an empty folder is left: %v", err)
	}
}

// TestHoldAfterAKill lays out what a training without checkpoints leaves that was killed while it wrote its run: its lock,
// which nobody holds, and some of the files. The same command goes on; nobody else's files are touched.
func TestHoldAfterAKill(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("history.csv")
	if _, _, err := run.Hold(dir, false); err == nil {
		t.Error("files that no training is known to have left were taken for a killed one's")
	}
	write(".graft-tmp-lock")
	_, release, err := run.Hold(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	write(".graft-tmp-lock")
	write("notes.txt")
	if _, _, err := run.Hold(dir, false); err == nil || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("a folder with somebody's notes: %v, want a refusal that names them", err)
	}
}

// TestHoldAfterAFailure lets a training fail in the middle of writing, as on a full disk: the same command may start anew.
func TestHoldAfterAFailure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	for range 2 {
		_, release, err := run.Hold(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "history.csv"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHoldAfterALateKill: of a training that was killed when its run was complete, nothing but the run stays.
func TestHoldAfterALateKill(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"config.json", "checkpoint.safetensors", ".graft-tmp-lock"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := run.Hold(dir, false); err == nil {
		t.Error("a complete run was taken for an unfinished one")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "config.json" {
		t.Errorf("%v, %v are left, want the run alone", left, err)
	}
}
