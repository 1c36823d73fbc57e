package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// TestModuleOutside builds and tests the program that stands outside the module, as others' programs do.
func TestModuleOutside(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "./...")
	cmd.Dir, cmd.Env = filepath.Join(top, "examples", "go"), append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd.Dir, err, out)
	}
}

// TestModuleIsRenamed renames the module in a copy: everything in it then finds everything else by the new name, as
// the script makes sure, and nothing by the old one. scripts/check_module builds it too.
func TestModuleIsRenamed(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "copy")
	run := func(dir, name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	root, err := run(top, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skip("SKIPPED: this is no clone: ", root)
	}
	for _, args := range [][]string{
		{"clone", "-q", strings.TrimSpace(root), copied},
		{"-C", copied, "config", "user.email", "test@example.org"},
		{"-C", copied, "config", "user.name", "test"},
	} {
		if out, err := run(top, "git", args...); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	rename := filepath.Join(copied, "scripts", "module")
	for _, name := range []string{"", "graft", "example.org", "example.org/you/gr aft", "https://example.org/you/graft", "example.org/you/graft;x"} {
		if out, err := run(copied, rename, name); err == nil || !strings.Contains(out, "MODULE="+name) {
			t.Errorf("MODULE=%s: %v, %s", name, err, out)
		}
	}
	const name = "example.org/you/graft"
	extra := filepath.Join(copied, "notes.txt")
	if err := os.WriteFile(extra, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run(copied, rename, name); err == nil || !strings.Contains(out, "notes.txt") {
		t.Errorf("with a file that is not committed: %v, %s", err, out)
	}
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	if out, err := run(copied, rename, name); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(filepath.Join(copied, "onnx", "onnxpb", "doc.go")); err != nil || !strings.Contains(string(text), "Monnx.proto="+name+"/onnx/onnxpb ") {
		t.Errorf("protoc's option is not renamed: %v, %s", err, text)
	}
	if out, _ := run(copied, "git", "grep", "-nE", `(^|[^[:alnum:]_./~-])graft/(finetune|graph|onnx|pretrained|preprocess)([^[:alnum:]]|$)`, "--", ":!CHANGELOG.md"); out != "" {
		t.Errorf("the old name is left in\n%s", out)
	}
}

// TestRelease looks at what is asked of Go: six platforms, static, and nothing that differs between two runs.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\necho \"$CGO_ENABLED $GOOS/$GOARCH $GOFLAGS $*\" >>" + dir + "/log\nwhile [ \"$1\" != -o ]; do shift; done\necho \"$GOOS$GOARCH\" >\"$2\"\n"
	script, err := os.ReadFile(filepath.Join(top, "scripts", "release"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go": fake, "scripts/release": string(script)} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "release"))
	cmd.Env = append(os.Environ(), "GO="+filepath.Join(dir, "go"), "VERSION=v1.2.3", "GOFLAGS=-race")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	sums, _ := os.ReadFile(filepath.Join(dir, "dist", "SHA256SUMS"))
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		if !strings.Contains(string(log), "0 "+platform+"  build -trimpath -buildvcs=false -ldflags -s -w -buildid= -X main.releaseVersion=v1.2.3 -o dist/graft-v1.2.3-"+strings.ReplaceAll(platform, "/", "-")) {
			t.Errorf("%s is not built as it should be:\n%s", platform, log)
		}
	}
	if n := strings.Count(string(sums), "\n"); n != 6 {
		t.Errorf("%d sums of 6:\n%s", n, sums)
	}
	cmd = exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "release"))
	cmd.Env = append(os.Environ(), "GO=false", "VERSION=v1.2.3")
	if cmd.Run() == nil {
		t.Error("a build that fails ends in success")
	}
}
