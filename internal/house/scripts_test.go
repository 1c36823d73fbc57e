package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What stands between other programs' figures and the documentation is checked: that runs take turns, and that a ratio is
// printed of equal results only.
func TestBenchmarksCheckThemselves(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3 to run scripts/bench_common.py")
	}
	script(t, python, "bench_common.py")
}

// The comparisons themselves, on small sizes: their figures mean nothing, their checks of loss, features and pixels do.
func TestBenchmarksRun(t *testing.T) {
	python := os.Getenv("GRAFT_PYTHON")
	if python == "" {
		t.Skip("SKIPPED: GRAFT_PYTHON does not name a Python with the packages of scripts/bench_all")
	}
	script(t, python, "bench_all", "--quick", "--rounds", "1")
}

func script(t *testing.T, python, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, append([]string{filepath.Join(top, "scripts", name)}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}
