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

// release removes the file while it is still locked: afterwards it may be another's.
func release(f *os.File) error {
	_ = os.Remove(f.Name())
	return f.Close()
}
