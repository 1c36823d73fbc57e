package ort

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"graft/onnx/session"
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
		o    session.Options
		p    session.Provider
		want int
	}{
		{session.Options{Threads: 5, Throughput: true}, session.CPU, 5},
		{session.Options{Threads: 5}, session.CPU, 1},
		{session.Options{Threads: 5, Throughput: true}, session.CUDA, 1},
		{session.Options{Throughput: true}, session.CPU, all},
	} {
		if got := streams(c.o, c.p); got != c.want {
			t.Errorf("%+v on %s: %d, want %d", c.o, c.p, got, c.want)
		}
	}
}

func TestThreads(t *testing.T) {
	if got := threads(session.Options{Threads: 3}); got != 3 {
		t.Errorf("3 threads asked for, got %d", got)
	}
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	if runtime.NumCPU() > 1 {
		runtime.GOMAXPROCS(1)
		if got := threads(session.Options{}); got != 1 {
			t.Errorf("with GOMAXPROCS 1: %d threads, want 1", got)
		}
	}
	runtime.GOMAXPROCS(runtime.NumCPU())
	if got := threads(session.Options{}); got != 0 {
		t.Errorf("with all CPUs: %d, want 0, ONNX Runtime's own choice", got)
	}
}
