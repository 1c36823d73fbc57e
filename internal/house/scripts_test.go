package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What stands between other programs' figures and the documentation is checked: that runs take turns, and that a ratio is
// printed of equal results only.
func TestBenchmarksCheckThemselves(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3 to run scripts/bench_common.py")
	}
	script(t, python, "bench_common.py")
	script(t, python, "compare.py")
}

// The comparisons themselves, on small sizes: their figures mean nothing, their checks of loss, features and pixels do.
func TestBenchmarksRun(t *testing.T) {
	python := os.Getenv("GRAFT_PYTHON")
	if python == "" {
		t.Skip("SKIPPED: GRAFT_PYTHON does not name a Python with the packages of scripts/bench_all")
	}
	script(t, python, "bench_all", "--quick", "--rounds", "1")
}

// killedWorker runs the example for Ray, without Ray, with a graft that takes a minute.
const killedWorker = `
import sys, types
sys.modules["ray"] = types.ModuleType("ray")
sys.path.insert(0, sys.argv[1])
import embed
embed.embed({"part": "x.parquet"}, sys.argv[2], "m.onnx", "cls", 1)
`

// TestRayWorkerKilled: graft ends with the worker that started it, so that the next try does not find the part locked.
func TestRayWorkerKilled(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("SKIPPED: there is no python3 on Linux to run examples/ray/embed.py")
	}
	dir := t.TempDir()
	fake, told := filepath.Join(dir, "graft"), filepath.Join(dir, "pid")
	put(t, fake, "#!/bin/sh\necho $$ >"+told+".part && mv "+told+".part "+told+"\nexec sleep 60\n")
	worker := exec.CommandContext(t.Context(), python, "-c", killedWorker, filepath.Join(top, "examples", "ray"), fake)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	for end := time.Now().Add(time.Minute); pid == "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(told)
		pid = strings.TrimSpace(string(text))
	}
	_ = worker.Process.Kill()
	_ = worker.Wait()
	if pid == "" {
		t.Fatal("graft was not started")
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if state, err := os.ReadFile("/proc/" + pid + "/stat"); err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Error("graft goes on after its worker was killed")
	_ = exec.Command("kill", "-9", pid).Run()
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
	cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-ldflags=-s -w", "./...") // make lint vets it
	cmd.Dir, cmd.Env = filepath.Join(top, "examples", "go"), append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd.Dir, err, out)
	}
}

// renamed are files of a small module, and what is to stand in them once it is called example.org/you/graft. The script itself
// looks whether everything finds everything by the new name; scripts/check_module does it with all of graft.
var renamed = []struct{ name, text, want string }{
	{"go.mod", "module graft\n\ngo 1.26.0\n", "module example.org/you/graft\n\ngo 1.26.0\n"},
	{"onnx/onnx.go", "package onnx\n", "package onnx\n"},
	{"onnx/onnxpb/doc.go", "// Package onnxpb is imported by graft/onnx.\npackage onnxpb\n\n//go:generate protoc --go_opt=Monnx.proto=graft/onnx/onnxpb onnx.proto\n",
		"// Package onnxpb is imported by example.org/you/graft/onnx.\npackage onnxpb\n\n//go:generate protoc --go_opt=Monnx.proto=example.org/you/graft/onnx/onnxpb onnx.proto\n"},
	{"cmd/graft/main.go", "package main\n\nimport (\n\t_ \"embed\"\n\n\t_ \"graft/onnx\"\n)\n\nconst cache = \"graft/onnxruntime\"\n\nfunc main() {}\n",
		"package main\n\nimport (\n\t_ \"embed\"\n\n\t_ \"example.org/you/graft/onnx\"\n)\n\nconst cache = \"graft/onnxruntime\"\n\nfunc main() {}\n"},
	{"examples/go/go.mod", "module example.org/classify\n\ngo 1.26.0\n\nrequire graft v0.0.0\n\nreplace graft => ../..\n",
		"module example.org/classify\n\ngo 1.26.0\n\nrequire example.org/you/graft v0.0.0\n\nreplace example.org/you/graft => ../..\n"},
	{"examples/go/main.go", "package main\n\nimport _ \"graft/onnx\"\n\nfunc main() {}\n", "package main\n\nimport _ \"example.org/you/graft/onnx\"\n\nfunc main() {}\n"},
	{"README.md", "`go mod edit -require graft@v0.0.0 -replace graft=/clone`, bin/graft, cmd/graft/main.go, `graft/onnx`; cp demo/graft/onnx .\ngraft/onnx graft/onnx,graft/cmd,graft/onnx\n",
		"`go mod edit -require example.org/you/graft@v0.0.0 -replace example.org/you/graft=/clone`, bin/graft, cmd/graft/main.go, `example.org/you/graft/onnx`; cp demo/graft/onnx .\n" +
			"example.org/you/graft/onnx example.org/you/graft/onnx,example.org/you/graft/cmd,example.org/you/graft/onnx\n"},
}

func TestModuleIsRenamed(t *testing.T) {
	dir := t.TempDir()
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	script, err := os.ReadFile(filepath.Join(top, "scripts", "module"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "scripts", "module"), string(script))
	for _, f := range renamed {
		put(t, filepath.Join(dir, f.name), f.text)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.email=test@example.org", "-c", "user.name=test", "commit", "-qm", "x"}} {
		if out, err := run("git", args...); err != nil {
			t.Skipf("SKIPPED: git %v: %v\n%s", args, err, out)
		}
	}
	rename := filepath.Join(dir, "scripts", "module")
	for _, name := range []string{"", "graft", "example.org", "example.org/you/gr aft", "https://example.org/you/graft", "example.org/you/graft;x"} {
		if out, err := run(rename, name); err == nil || !strings.Contains(out, "MODULE="+name) {
			t.Errorf("MODULE=%s: %v, %s", name, err, out)
		}
	}
	extra := filepath.Join(dir, "notes.txt")
	put(t, extra, "")
	if out, err := run(rename, "example.org/you/graft"); err == nil || !strings.Contains(out, "notes.txt") {
		t.Errorf("with a file that is not committed: %v, %s", err, out)
	}
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	// What breaks off in the middle says how to go back.
	broken := filepath.Join(dir, "onnx", "broken.go")
	put(t, broken, "package\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "y")
	if out, err := run(rename, "example.org/you/graft"); err == nil || !strings.Contains(out, "git checkout -- .") {
		t.Errorf("with a file that is no Go: %v, %s", err, out)
	}
	git(t, dir, "checkout", "--", ".")
	git(t, dir, "rm", "-q", "onnx/broken.go")
	git(t, dir, "commit", "-qm", "z")
	if out, err := run(rename, "example.org/you/graft"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range renamed {
		if got, err := os.ReadFile(filepath.Join(dir, f.name)); err != nil || string(got) != f.want {
			t.Errorf("%s (%v):\n%s\nwant\n%s", f.name, err, got, f.want)
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.email=test@example.org", "-c", "user.name=test"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// put writes a file that may be run.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestRelease looks at what is asked of Go: six platforms, static, and nothing that differs between two runs.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\necho \"$CGO_ENABLED $GOOS/$GOARCH $GOFLAGS env=$GOENV fips=$GOFIPS140 $*\" >>" + dir + "/log\nwhile [ \"$1\" != -o ]; do shift; done\necho \"$GOOS$GOARCH\" >\"$2\"\n"
	script, err := os.ReadFile(filepath.Join(top, "scripts", "release"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "go"), fake)
	put(t, filepath.Join(dir, "scripts", "release"), string(script))
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "release"))
	cmd.Env = append(os.Environ(), "GO="+filepath.Join(dir, "go"), "VERSION=v1.2.3", "GOFLAGS=-race", "GOFIPS140=latest", "GOENV="+filepath.Join(dir, "env"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	sums, _ := os.ReadFile(filepath.Join(dir, "dist", "SHA256SUMS"))
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"} {
		if !strings.Contains(string(log), "0 "+platform+"  env=off fips=off build -trimpath -buildvcs=false -ldflags -s -w -buildid= -X main.releaseVersion=v1.2.3 -o dist/graft-v1.2.3-"+strings.ReplaceAll(platform, "/", "-")) {
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
