package memory

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"
)

func ExampleFree() {
	if free, err := Free(); err == nil {
		fmt.Println(free > 0)
	} else {
		fmt.Println(errors.Is(err, errors.ErrUnsupported))
	}
	// Output: true
}

// TestFree reads machines with and without control groups of both versions.
func TestFree(t *testing.T) {
	const info = "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable: 4000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no group":       {map[string]string{}, 4096000},
		"unlimited":      {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": "5\n"}, 4096000},
		"limited":        {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "700\n", "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 50\n"}, 350},
		"of a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "2000\n"}, 0},
		"version 1": {map[string]string{"proc/self/cgroup": "3:cpu:/x\n2:memory:/d\n", "sys/fs/cgroup/memory/d/memory.limit_in_bytes": "900\n",
			"sys/fs/cgroup/memory/d/memory.usage_in_bytes": "100\n", "sys/fs/cgroup/memory/d/memory.stat": "total_inactive_file 7\n"}, 807},
		"version 1, no limit": {map[string]string{"proc/self/cgroup": "2:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "100\n"}, 4096000},
	} {
		root := fstest.MapFS{"proc/meminfo": {Data: []byte(info)}}
		for path, text := range c.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, err := free(root); err != nil || got != c.want {
			t.Errorf("%s: %d free, want %d (%v)", name, got, c.want, err)
		}
	}
	if _, err := free(fstest.MapFS{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a machine that tells nothing: %v", err)
	}
}
