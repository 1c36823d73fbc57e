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
		if quota, period, ok := twoNumbers(filepath.Join(dir, "cpu.max")); ok {
			cpus = min(cpus, quota/period)
		}
		quota, ok1 := number(filepath.Join(dir, "cpu.cfs_quota_us"))
		period, ok2 := number(filepath.Join(dir, "cpu.cfs_period_us"))
		if ok1 && ok2 && quota > 0 && period > 0 {
			cpus = min(cpus, quota/period)
		}
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			// Version 1 writes a number close to 2⁶³ for no limit.
			if n, ok := number(filepath.Join(dir, name)); ok && n < 1<<62 {
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

func number(path string) (float64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
	return n, err == nil
}

// twoNumbers reads "QUOTA PERIOD"; the word max for the quota is no limit.
func twoNumbers(path string) (a, b float64, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	f := strings.Fields(string(data))
	if len(f) != 2 {
		return 0, 0, false
	}
	a, err1 := strconv.ParseFloat(f[0], 64)
	b, err2 := strconv.ParseFloat(f[1], 64)
	return a, b, err1 == nil && err2 == nil && a > 0 && b > 0
}
