//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"graft/internal/atomicfile"
)

// dirEnv asks the test program to begin a file and a folder there and die.
const dirEnv = "ATOMICFILE_TEST_DIR"

// TestSweep: what a process left that died is removed by the next that writes in the
// folder; what living ones are writing, in this process or another, is not.
func TestSweep(t *testing.T) {
	if dir := os.Getenv(dirEnv); dir != "" {
		if _, err := atomicfile.Create(filepath.Join(dir, "dead")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := atomicfile.TempDir(filepath.Join(dir, "dead")); err != nil {
			t.Fatal(err)
		}
		os.Exit(7)
	}
	dir := t.TempDir()
	die := func() {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSweep$")
		cmd.Env = append(os.Environ(), dirEnv+"="+dir)
		var exit *exec.ExitError
		if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Fatalf("the other process: %v\n%s", err, out)
		}
	}
	left := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	foreign := filepath.Join(dir, ".graft-tmp-lock") // is no name of ours
	if err := os.WriteFile(foreign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	die()
	if n := left(); n != 3 {
		t.Fatalf("the dead process left %d, want a file and a folder beside one", n)
	}
	f, err := atomicfile.Create(filepath.Join(dir, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	_, release, err := atomicfile.TempDir(filepath.Join(dir, "alive"))
	if err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 3 {
		t.Errorf("%d files, want the living process's two and one more", n)
	}
	die()
	if n := left(); n != 5 {
		t.Errorf("%d files, want two more: a process swept what another one is writing", n)
	}
	if err := errors.Join(f.Commit(), release()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}
