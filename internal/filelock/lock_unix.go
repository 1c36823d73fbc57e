//go:build unix

package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		case errors.Is(err, unix.ENOLCK): // a network file system without a lock service
			return errors.Join(errors.ErrUnsupported, err)
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

func removeLocked(f *os.File) { _ = os.Remove(f.Name()) }
