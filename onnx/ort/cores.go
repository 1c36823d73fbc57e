package ort

import (
	"math"
	"os"
	"path/filepath"
	"strings"
)

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
