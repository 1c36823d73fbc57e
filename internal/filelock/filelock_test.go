package filelock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func ExampleAcquire() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lock")
	lock, err := Acquire(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = Acquire(path)
	fmt.Println(errors.Is(err, ErrLocked))
	fmt.Println(lock.Release())
	// Output:
	// true
	// <nil>
}

// pathEnv asks the test program to take a lock and die with it.
const pathEnv = "FILELOCK_TEST_PATH"

// A process that dies leaves the file, and the lock ends all the same.
func TestLockEndsWithItsProcess(t *testing.T) {
	if path := os.Getenv(pathEnv); path != "" {
		if _, err := Acquire(path); err != nil {
			t.Fatal(err)
		}
		os.Exit(7)
	}
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithItsProcess$")
	cmd.Env = append(os.Environ(), pathEnv+"="+path)
	var exit *exec.ExitError
	if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Fatalf("the other process: %v\n%s", err, out)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the other process left no file, so nothing is tested: %v", err)
	}
	lock, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil && runtime.GOOS != "windows" {
		t.Error("the file stayed after Release")
	}
}

// Releasing removes the file under those who wait with it open: still there is
// never more than one holder.
func TestOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders, taken atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for taken.Load() < 200 {
				lock, err := Acquire(path)
				if errors.Is(err, ErrLocked) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d holders", n)
				}
				taken.Add(1)
				holders.Add(-1)
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAcquireFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "lock")
	if _, err := Acquire(path); err == nil || errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("without a folder: %v", err)
	}
}
