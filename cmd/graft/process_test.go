package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx/ort/orttest"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

// asProgram makes the test binary the program itself, for tests that need real
// processes.
const asProgram = "GRAFT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is graft as a process.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// photos writes n random images of two classes as a folder; those in bad are cut off.
func photos(t *testing.T, n int, bad ...int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		im := image.NewNRGBA(image.Rect(0, 0, 20+i%3, 17))
		for p := range im.Pix {
			im.Pix[p] = uint8(rng.Uint32()) | uint8(p%4/3*255) // opaque
		}
		var b bytes.Buffer
		if err := png.Encode(&b, im); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		if slices.Contains(bad, i) {
			data = data[:len(data)/2]
		}
		path := filepath.Join(dir, []string{"train", "val"}[i%5/4], []string{"cat", "dog"}[i%2], fmt.Sprintf("%03d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// folder maps every file below dir to its bytes.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameFolder(t *testing.T, want, got string) {
	t.Helper()
	x, y := folder(t, want), folder(t, got)
	for name := range x {
		if x[name] != y[name] {
			t.Errorf("%s differs, or is missing", name)
		}
	}
	if len(x) != len(y) || len(x) == 0 {
		t.Errorf("%d files, want %d", len(y), len(x))
	}
}

// TestShards: four processes of the program make one store from a folder with bad
// images; one is killed and started again.
func TestShards(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	model, data := vittest.WriteTiny(t, dir), photos(t, 150, 0, 31, 77, 78)
	whole, shared := filepath.Join(dir, "whole"), filepath.Join(dir, "shared")
	flags := []string{"extract", "--data", data, "--model", model, "--taps", "all", "--flip", "--provider", "cpu", "--threads", "1", "--shard-rows", "6", "--batch", "2"}
	must(t, append(flags, "--out", whole)...)
	part := func(i int) *exec.Cmd {
		return program(t, append(flags, "--out", shared, "--shard", fmt.Sprintf("%d/4", i))...)
	}
	victim := part(2)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(shared, "shards", "00002.json"))
	_ = victim.Process.Kill() // SIGKILL
	_ = victim.Wait()
	if left, _ := filepath.Glob(filepath.Join(shared, "shards", "*")); len(left) == 7 {
		t.Error("the process was done before it was killed: nothing was tested")
	}
	code, out := graft(t, t.Context(), "embeddings", "verify", shared, "--json", "-")
	if r := decode[store.Report](t, out); code != exitFailed || r.Sound || len(r.Faults) == 0 {
		t.Errorf("exit status %d, report %+v of an unfinished store", code, r)
	}
	var all []*exec.Cmd
	for i := range 4 {
		cmd := part(i)
		cmd.Stderr = new(strings.Builder)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("part %d: %v: %s", i, err, cmd.Stderr)
		}
	}
	sameFolder(t, whole, shared)
	if out := must(t, "embeddings", "verify", shared); !strings.Contains(out, "sound: 25 shards") {
		t.Errorf("verify printed %q", out)
	}
	info := decode[store.Info](t, must(t, "embeddings", "info", shared, "--verify", "--json", "-"))
	if info.Bad != 4 || info.Rows != 146 || len(info.Reasons) != 1 || !info.Complete || info.Batch != 2 {
		t.Errorf("info %+v", info)
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--shard", "4/4"}, exitUsage}, {[]string{"--strict", "--skip-bad"}, exitUsage},
		{[]string{"--strict"}, exitFailed}, {[]string{"--batch", "3"}, exitFailed},
	} {
		if code, _ := graft(t, t.Context(), slices.Concat(flags, []string{"--out", shared}, c.args)...); code != c.want {
			t.Errorf("%v: exit status %d, want %d", c.args, code, c.want)
		}
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 3000 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come", path)
}

func TestShardsSayWhatIsMissing(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	model, data := vittest.WriteTiny(t, dir), photos(t, 20)
	flags := []string{"extract", "--data", data, "--model", model, "--provider", "cpu", "--shard-rows", "4", "--out", filepath.Join(dir, "e")}
	if out := must(t, append(flags, "--shard", "1/3")...); !strings.Contains(out, "part 1/3 is done; the store still lacks 3 of 5 shards (0, 2, 3), of the parts 0/3, 2/3") {
		t.Errorf("printed %q", out)
	}
	if out := must(t, append(flags, "--shard", "6/7")...); !strings.Contains(out, "has 5 shards: parts from 5/7 on have nothing to make") {
		t.Errorf("printed %q", out)
	}
	must(t, append(flags, "--shard", "0/3")...)
	if out := must(t, append(flags, "--shard", "2/3")...); !strings.Contains(out, "part 2/3 is done, and with it the store: 20 rows in 5 shards") {
		t.Errorf("printed %q", out)
	}
}

// doctor is of use in scripts: it fails where ONNX Runtime, which this build is meant to use, does not run, and nothing but
// the report comes out.
func TestDoctorSaysWhetherTheMainJobRuns(t *testing.T) {
	orttest.Require(t)
	out, err := program(t, "doctor").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "library ") {
		t.Errorf("%v, printed:\n%s", err, out)
	}
	cmd := program(t, "doctor")
	cmd.Env = append(cmd.Env, "GRAFT_ORT_LIBRARY="+filepath.Join(t.TempDir(), "none.so"))
	out, err = cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "go: runs") || !strings.Contains(string(out), "ONNX Runtime does not run here") {
		t.Errorf("without the library: %v, printed:\n%s", err, out)
	}
}

// An address may hold a password, which is nobody else's business.
func TestPasswordsAreNotPrinted(t *testing.T) {
	cmd := program(t, "model", "pull", "vit_b_16", "--dir", t.TempDir(), "--url", "http://user:secret@127.0.0.1:9/x")
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "secret") {
		t.Errorf("%v, printed:\n%s", err, out)
	}
}

// Without a network a file will do; what it is its hash tells, and one that is none of graft's is refused.
func TestSetupFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tgz")
	if err := os.WriteFile(file, []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--from", file}, exitFailed, "is none that graft was tested with"},
		{[]string{"--from", file, "--gpu"}, exitUsage, "which build"},
		{[]string{"--from", file + "x"}, exitUsage, "a file that is there"},
	} {
		cmd := program(t, append([]string{"setup"}, tt.args...)...)
		cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+t.TempDir(), "HOME="+t.TempDir())
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != tt.code || !strings.Contains(string(out), tt.want) {
			t.Errorf("%v: exit status %d, printed:\n%s", tt.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// A tap is added to a store, and the faces that its dataset has got since, without what is there being computed again.
func TestExtractExtends(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	model, out := vittest.WriteTiny(t, dir), filepath.Join(dir, "e")
	run := func(faces string, flags ...string) extract.Summary {
		args := append([]string{"extract", "--data", "synthetic", "--per-class", faces, "--model", model, "--out", out, "--provider", "cpu", "--json", "-"}, flags...)
		return decode[extract.Summary](t, must(t, args...))
	}
	if s := run("4", "--taps", "cls", "--extend"); s.Reused != 0 || len(s.Taps) != 1 {
		t.Errorf("begun: %+v", s)
	}
	before, err := os.ReadFile(filepath.Join(out, "cls", "00000.npy"))
	if err != nil {
		t.Fatal(err)
	}
	if s := run("4", "--taps", "mean_1,tokens_1", "--extend"); s.Reused != s.Rows || len(s.Taps) != 3 || s.Taps[2].DType != store.Float16 {
		t.Errorf("two taps more: %+v", s)
	}
	if after, err := os.ReadFile(filepath.Join(out, "cls", "00000.npy")); err != nil || !slices.Equal(after, before) {
		t.Errorf("cls was changed (%v)", err)
	}
	few := run("4", "--extend").Rows
	if s := run("6", "--extend"); s.Reused == 0 || s.Reused >= s.Rows || s.Rows <= few || len(s.Taps) != 3 {
		t.Errorf("more faces: %+v, before %d", s, few)
	}
	must(t, "embeddings", "verify", out)
}
