//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"os"
	"syscall"
)

// errLocked says that another open file holds the lock.
const errLocked = syscall.EWOULDBLOCK

// lock takes the lock of an open file or folder, which ends when that is closed, however.
func lock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}
