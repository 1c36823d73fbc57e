//go:build !windows

package ort

import (
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// muted runs f while what anything in this process writes to standard output and standard error is thrown away: native
// libraries write there by themselves. Where that cannot be arranged f runs all the same. A crash, of native code too, is
// told on standard error nevertheless.
func muted(f func()) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err == nil {
		defer null.Close()
		for _, fd := range []int{1, 2} {
			if kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err == nil && unix.Dup2(int(null.Fd()), fd) == nil {
				out := os.NewFile(uintptr(kept), "") // the last is standard error
				_ = debug.SetCrashOutput(out, debug.CrashOptions{})
				defer func() { _, _ = unix.Dup2(kept, fd), out.Close() }()
			}
		}
		defer func() { _ = debug.SetCrashOutput(nil, debug.CrashOptions{}) }()
	}
	f()
}
