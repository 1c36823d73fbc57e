package ort

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestPhysicalCores(t *testing.T) {
	for name, c := range map[string]struct {
		siblings []string // of each logical processor
		want     int
	}{
		"nobody tells":        {nil, math.MaxInt},
		"one thread a core":   {[]string{"0", "1", "2"}, 3},
		"two threads a core":  {[]string{"0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"}, 4},
		"cores of both kinds": {[]string{"0-1", "0-1", "2", "3"}, 3},
	} {
		root := t.TempDir()
		for i, list := range c.siblings {
			dir := filepath.Join(root, fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology", i))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "thread_siblings_list"), []byte(list+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := physicalCores(root); got != c.want {
			t.Errorf("%s: %d cores, want %d", name, got, c.want)
		}
	}
}

func TestStreams(t *testing.T) {
	all := min(runtime.NumCPU(), physicalCores("/"))
	if n := runtime.GOMAXPROCS(0); n < runtime.NumCPU() {
		all = n
	}
	for _, c := range []struct {
		o    Options
		p    Provider
		want int
	}{
		{Options{Threads: 5, Throughput: true}, CPU, 5},
		{Options{Threads: 5}, CPU, 1},
		{Options{Threads: 5, Throughput: true}, CUDA, 1},
		{Options{Throughput: true}, CPU, all},
	} {
		if got := c.o.streams(c.p); got != c.want {
			t.Errorf("%+v on %s: %d, want %d", c.o, c.p, got, c.want)
		}
	}
}
