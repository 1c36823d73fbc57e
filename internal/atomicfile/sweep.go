package atomicfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// foreignAge is how old a file of another machine has to be to count as abandoned: its lock may
// not be seen from here. Folders of others are never swept: their age does not tell that files
// below them are being written.
const foreignAge = 24 * time.Hour

var (
	tempPattern = regexp.MustCompile(`^` + regexp.QuoteMeta(TempPrefix) + `.*-[0-9a-f]{16}$`)
	swept       sync.Map // folders that this process has looked through
)

// tempName is a new name for a temporary beside path, a file or folder. It ends with digits
// of the machine's name and random ones.
func tempName(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%s-%s%08x", TempPrefix, filepath.Base(path), machine(), rand.Uint32()))
}

var machine = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("%08x", h.Sum32())
})

// TempDir makes a temporary folder beside path. release removes what is still there by its
// name; it may have been renamed. The next process that writes beside it removes it where
// this one is killed.
func TempDir(path string) (dir string, release func() error, err error) {
	sweep(filepath.Dir(path))
	err = errSwept
	for errors.Is(err, errSwept) {
		dir = tempName(path)
		if err := os.Mkdir(dir, 0o777); err != nil {
			return "", nil, err
		}
		var f *os.File
		if f, err = os.Open(dir); err != nil {
			break
		}
		if err = hold(f); err == nil {
			return dir, func() error { return errors.Join(os.RemoveAll(dir), f.Close()) }, nil
		}
		_ = f.Close()
	}
	return "", nil, err
}

// errSwept says that a temporary was taken for an abandoned one in the moment before it was locked.
var errSwept = errors.New("swept away")

// hold locks a new temporary for as long as it is open: the lock is what tells it from an
// abandoned one. On a file system without locks none is taken, and nothing swept.
func hold(f *os.File) error {
	if err := lock(f); errors.Is(err, errLocked) {
		return errSwept
	} else if err != nil {
		return nil
	}
	mine, err := f.Stat()
	if there, gone := os.Lstat(f.Name()); err == nil && (gone != nil || !os.SameFile(mine, there)) {
		return errSwept
	}
	return err
}

// sweep removes the temporaries in dir whose processes were killed, once in a process. What
// cannot be told or removed stays and does no harm.
func sweep(dir string) {
	if _, before := swept.LoadOrStore(dir, true); before {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !tempPattern.MatchString(e.Name()) || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		foreign := !strings.HasPrefix(e.Name()[len(e.Name())-16:], machine())
		if err != nil || foreign && (e.IsDir() || time.Since(info.ModTime()) < foreignAge) {
			continue
		}
		removeAbandoned(filepath.Join(dir, e.Name()), info)
	}
}

func removeAbandoned(path string, info fs.FileInfo) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if now, err := f.Stat(); err == nil && os.SameFile(now, info) && lock(f) == nil {
		_ = os.RemoveAll(path)
	}
}
