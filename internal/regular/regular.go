// Package regular opens files that are whole and stay put: no pipe, which may wait for a
// writer for ever, no device, which may never end, no folder.
package regular

import (
	"fmt"
	"io/fs"
	"os"
)

// Open is os.Open of a regular file, or of what links lead to.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: want a regular file, got %s", path, Kind(info.Mode()))
	}
	return os.Open(path)
}

// Kind is what a file is that is not regular, in words.
func Kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
