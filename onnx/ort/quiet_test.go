//go:build !windows

package ort

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Native libraries write to the descriptors by themselves: nothing of that comes through, and all that comes after does.
func TestMuted(t *testing.T) {
	if os.Getenv("GRAFT_TEST_MUTED") == "1" {
		muted(func() {
			_, _ = unix.Write(1, []byte("chatter"))
			_, _ = unix.Write(2, []byte("chatter"))
		})
		_, _ = io.WriteString(os.Stdout, "out")
		_, _ = io.WriteString(os.Stderr, "err")
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMuted$")
	cmd.Env = append(os.Environ(), "GRAFT_TEST_MUTED=1")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "outerr" {
		t.Errorf("%q, %v; want outerr alone", out, err)
	}
}
