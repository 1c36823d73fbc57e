//go:build !windows

package ort

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A crash is told all the same, as the signal of native code that aborts.
func TestMutedCrash(t *testing.T) {
	if os.Getenv("GRAFT_TEST_MUTED") == "1" {
		muted(func() {
			_ = unix.Kill(os.Getpid(), unix.SIGABRT)
			time.Sleep(time.Minute)
		})
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMutedCrash$")
	cmd.Env = append(os.Environ(), "GRAFT_TEST_MUTED=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "SIGABRT") {
		t.Errorf("%v, %q; want a crash that is told", err, stderr.String())
	}
}

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
