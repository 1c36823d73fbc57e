package ort

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"graft/onnx/session"
)

// streams is how many calls run at once on provider p.
func streams(o session.Options, p session.Provider) int {
	if p != session.CPU || !o.Throughput {
		return 1
	}
	if n := threads(o); n > 0 {
		return n
	}
	return min(runtime.NumCPU(), physicalCores("/"))
}

// threads is the number of threads to ask ONNX Runtime for. Its own default, 0,
// is one for each physical core, which is right unless a container or the user
// leaves this process fewer: that it does not see, and Go does.
func threads(o session.Options) int {
	if o.Threads > 0 {
		return o.Threads
	}
	if n := runtime.GOMAXPROCS(0); n < runtime.NumCPU() {
		return n
	}
	return 0
}

// physicalCores counts the processor's cores, of which several logical ones may be
// threads. It reads what Linux tells below root; where nobody tells it is more than
// any machine has.
func physicalCores(root string) int {
	lists, _ := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list"))
	cores := map[string]bool{}
	for _, path := range lists {
		siblings, err := os.ReadFile(path)
		if err != nil {
			return math.MaxInt
		}
		cores[strings.TrimSpace(string(siblings))] = true
	}
	if len(cores) == 0 {
		return math.MaxInt
	}
	return len(cores)
}
