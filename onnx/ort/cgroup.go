package ort

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupLimits are the tightest limits of CPUs and bytes that the control groups
// of this process set; 0 means none. Both versions of Linux's control groups are
// read, below root.
func cgroupLimits(root string) (cpus float64, bytes int64) {
	cpus, limit := math.Inf(1), math.Inf(1)
	for _, dir := range cgroupDirs(root) {
		for _, share := range [][]float64{numbers(dir, "cpu.max"), numbers(dir, "cpu.cfs_quota_us", "cpu.cfs_period_us")} {
			if len(share) == 2 && share[0] > 0 && share[1] > 0 {
				cpus = min(cpus, share[0]/share[1])
			}
		}
		for _, n := range append(numbers(dir, "memory.max"), numbers(dir, "memory.limit_in_bytes")...) {
			if n < 1<<62 { // version 1 writes a number close to 2⁶³ for no limit
				limit = min(limit, n)
			}
		}
	}
	if math.IsInf(cpus, 1) {
		cpus = 0
	}
	if !math.IsInf(limit, 1) {
		bytes = int64(limit)
	}
	return cpus, bytes
}

// cgroupDirs lists the folders of this process's control groups and of those
// above them: a limit above binds too.
func cgroupDirs(root string) []string {
	data, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	var dirs []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount := filepath.Join(root, "sys/fs/cgroup", parts[1])
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			dirs = append(dirs, filepath.Join(mount, dir))
			if dir == "/" {
				break
			}
		}
	}
	return dirs
}

// numbers are what the files hold; words that are none, such as max for no limit, are left out.
func numbers(dir string, names ...string) (list []float64) {
	for _, name := range names {
		data, _ := os.ReadFile(filepath.Join(dir, name))
		for _, word := range strings.Fields(string(data)) {
			if n, err := strconv.ParseFloat(word, 64); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}
