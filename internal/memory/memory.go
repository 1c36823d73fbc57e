// Package memory tells how much of the machine's memory is free.
package memory

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Free is how many bytes may still be used before the system swaps or ends processes: what Linux calls available, or less
// where a control group (a container) allows less. Where the system does not say, the error is errors.ErrUnsupported.
func Free() (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, errors.ErrUnsupported
	}
	return free(os.DirFS("/"))
}

// free reads the files of a Linux machine.
func free(root fs.FS) (int64, error) {
	available, ok := field(root, "proc/meminfo", "MemAvailable:")
	if !ok {
		return 0, errors.ErrUnsupported
	}
	least := 1024 * available
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		parts := strings.SplitN(lines.Text(), ":", 3) // number, controllers, path
		if len(parts) != 3 {
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			switch {
			case parts[1] == "":
				least = min(least, left(root, path.Join("sys/fs/cgroup", dir), "memory.max", "memory.current", "inactive_file", least))
			case strings.Contains(","+parts[1]+",", ",memory,"):
				least = min(least, left(root, path.Join("sys/fs/cgroup/memory", dir), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", least))
			}
			if dir == "/" {
				break
			}
		}
	}
	return max(0, least), nil
}

// left is a group's limit less what is used; files that are cached could be given up. A group without a limit leaves all.
func left(root fs.FS, dir, limit, usage, cached string, all int64) int64 {
	most, limited := number(root, path.Join(dir, limit))
	used, known := number(root, path.Join(dir, usage))
	if !limited || !known {
		return all
	}
	idle, _ := field(root, path.Join(dir, "memory.stat"), cached)
	return most - used + idle
}

func number(root fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// field is the number behind a word at the beginning of a line.
func field(root fs.FS, name, word string) (int64, bool) {
	data, _ := fs.ReadFile(root, name)
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == word {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
