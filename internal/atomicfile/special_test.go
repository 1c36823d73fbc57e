//go:build unix

package atomicfile_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"graft/internal/atomicfile"
)

// Pipes are written straight and stay what they are.
func TestPipeIsWrittenStraight(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	got := make(chan string)
	go func() {
		data, _ := os.ReadFile(pipe)
		got <- string(data)
	}()
	if err := atomicfile.WriteFile(pipe, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "whole" {
		t.Errorf("the reader got %q", text)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe has become %v, %v", info.Mode(), err)
	}
}

// A device of our own, like /dev/null, is written straight.
func TestDeviceStays(t *testing.T) {
	null := filepath.Join(t.TempDir(), "null")
	if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Skip(err) // only root may
	}
	if f, err := os.OpenFile(null, os.O_WRONLY, 0); err != nil {
		t.Skip(err) // a file system without devices
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteFile(null, []byte("gone")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(null); err != nil || info.Mode().Type() != os.ModeDevice|os.ModeCharDevice {
		t.Errorf("the device has become %v, %v", info.Mode(), err)
	}
}

// An open file of the process, as shells make of >(…) and /dev/stdout names, is
// written where it is, its name or none.
func TestOpenFilesAreWrittenStraight(t *testing.T) {
	if _, err := os.Stat("/dev/fd/0"); err != nil {
		t.Skip(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range []uintptr{w.Fd(), f.Fd()} {
		name := fmt.Sprint("/dev/fd/", fd)
		for _, text := range []string{"who", "le"} {
			if err := atomicfile.WriteFile(name, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); string(data) != "whole" {
		t.Errorf("the pipe's reader got %q, %v", data, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); string(data) != "whole" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

// What a link leads to is replaced, over folders that are links, and made where it
// is not there yet.
func TestLinksStayLinks(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "far", "away")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"near":       real,
		"one":        "near/../one", // far/one, as the system reads it
		"far/second": filepath.Join("away", "two"),
		"two":        filepath.Join("far", "second"),
		"loop":       "loop",
		"lost":       filepath.Join("nowhere", "x"),
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	for link, target := range map[string]string{"one": "far/one", "two": "far/away/two"} {
		for _, text := range []string{"made", "replaced"} {
			if err := atomicfile.WriteFile(filepath.Join(dir, link), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, target)); string(got) != text {
				t.Errorf("%s: %s holds %q, %v", link, target, got, err)
			}
		}
		if info, err := os.Lstat(filepath.Join(dir, link)); err != nil || info.Mode().Type() != os.ModeSymlink {
			t.Errorf("link %s has become %v, %v", link, info.Mode(), err)
		}
	}
	for _, link := range []string{"loop", "lost", "near"} {
		if err := atomicfile.WriteFile(filepath.Join(dir, link), nil); err == nil {
			t.Errorf("%s was written", link)
		}
	}
	_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
		if strings.HasPrefix(filepath.Base(path), atomicfile.TempPrefix) {
			t.Errorf("%s stayed", path)
		}
		return nil
	})
}

// Modes are umask's for new files and the old file's else.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	path := filepath.Join(t.TempDir(), "a")
	want := func(mode os.FileMode) {
		t.Helper()
		if err := atomicfile.WriteFile(path, nil); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
	}
	want(0o600)
	for _, mode := range []os.FileMode{0o664, 0o600, 0o440} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		want(mode)
	}
}
