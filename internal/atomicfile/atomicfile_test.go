package atomicfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"graft/internal/atomicfile"
)

func ExampleWriteFile() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "a.txt")
	if err := atomicfile.WriteFile(path, []byte("whole")); err != nil {
		fmt.Println(err)
	}
	data, _ := os.ReadFile(path)
	fmt.Println(string(data))
	// Output: whole
}

func TestAbortLeavesOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := atomicfile.WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after Abort the file holds %q, want %q", got, "old")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, atomicfile.TempPrefix+"*")); len(left) != 0 {
		t.Errorf("Abort left %v", left)
	}
	if err := f.Commit(); err == nil {
		t.Error("Commit after Abort succeeded")
	}
}

func TestCommitReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, want := range []string{"old", "new"} {
		if err := atomicfile.WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("file holds %q, want %q", got, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("mode %v is not readable by all", info.Mode())
	}
}

// Folders of some file systems cannot be synced, which is no fault of a file in them.
func TestSyncDirWhereFoldersCannotBe(t *testing.T) {
	const dir = "/proc/self"
	d, err := os.Open(dir)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Skipf("sync of %s gives %v, so nothing is tested", dir, err)
	}
	if err := atomicfile.SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := atomicfile.SyncDir(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Of many that begin one file at once, one wins, and all see its bytes.
func TestCommitNewHasOneWinner(t *testing.T) {
	dir, temps := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "a")
	var won, lost atomic.Int64
	var first atomic.Value
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			f, err := atomicfile.CreateIn(temps, path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Abort()
			text := fmt.Sprint("writer ", i)
			if _, err := f.WriteString(text); err != nil {
				t.Error(err)
			}
			switch err := f.CommitNew(); {
			case err == nil:
				won.Add(1)
				first.Store(text)
			case errors.Is(err, os.ErrExist):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
	if got, _ := os.ReadFile(path); string(got) != first.Load() {
		t.Errorf("the file holds %q, the winner wrote %q", got, first.Load())
	}
	if left, _ := os.ReadDir(temps); len(left) != 0 {
		t.Errorf("temporaries stayed: %v", left)
	}
}
