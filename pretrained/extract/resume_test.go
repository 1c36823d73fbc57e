package extract_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"graft/internal/atomicfile"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

// files maps every file below dir to its bytes.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameFiles(t *testing.T, want, got string) {
	t.Helper()
	x, y := files(t, want), files(t, got)
	for name := range x {
		if !bytes.Equal(x[name], y[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d files, want %d", len(y), len(x))
	}
}

func TestStopAndGoOn(t *testing.T) {
	stop := errors.New("stop")
	data := faces(t, 30)
	c := extract.Config{Data: data, Taps: []string{"cls", "tokens_1"}, Batch: 3, ShardRows: 8, Flip: true,
		Views: store.Views{Count: 3, Augment: extract.ViewAugment}}
	run := func(dir string, b *fake) error {
		c.Out, c.Backbone = dir, b
		_, err := extract.Run(context.Background(), c, nil)
		return err
	}
	whole, broken := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	b := &fake{}
	if err := run(whole, b); err != nil {
		t.Fatal(err)
	}
	all := b.batches.Load()
	for _, at := range []int{1, 11, 8, 5} {
		b := &fake{fail: func(n int) error {
			if n == at {
				return stop
			}
			return nil
		}}
		if err := run(broken, b); !errors.Is(err, stop) {
			t.Fatalf("stop at batch %d: %v", at, err)
		}
		if left, _ := filepath.Glob(filepath.Join(broken, atomicfile.TempPrefix+"*")); len(left) > 0 {
			t.Errorf("stop at batch %d left %v", at, left)
		}
	}
	b = &fake{}
	if err := run(broken, b); err != nil {
		t.Fatal(err)
	}
	if b.batches.Load() >= all {
		t.Errorf("the last run made %d of %d batches: nothing was skipped", b.batches.Load(), all)
	}
	sameFiles(t, whole, broken)
	b = &fake{}
	if err := run(broken, b); err != nil || b.batches.Load() != 0 {
		t.Errorf("on a finished store: %d batches, %v", b.batches.Load(), err)
	}
}

func TestCancel(t *testing.T) {
	data := faces(t, 30)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	b := &fake{delay: time.Millisecond, fail: func(n int) error {
		if n == 6 {
			cancel()
		}
		return nil
	}}
	out := filepath.Join(t.TempDir(), "e")
	c := extract.Config{Data: data, Backbone: b, Out: out, Batch: 2, ShardRows: 6}
	if _, err := extract.Run(ctx, c, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if m := s.Manifest(); len(m.Shards) == 0 || m.Complete() {
		t.Errorf("%d shards are there, want some but not all", len(m.Shards))
	}
	c.Backbone = &fake{}
	if sum, err := extract.Run(context.Background(), c, nil); err != nil || sum.Rows != 30 || sum.Resumed == 0 {
		t.Errorf("going on: %+v, %v", sum, err)
	}
}

// The child of TestKill extracts in a process of its own, to be killed.
const (
	childData  = "GRAFT_TEST_CHILD_DATA"
	childModel = "GRAFT_TEST_CHILD_MODEL" // "" for the fake
	childOut   = "GRAFT_TEST_CHILD_OUT"
	childPart  = "GRAFT_TEST_CHILD_PART" // as store.ParsePart takes it
)

func TestMain(m *testing.M) {
	if os.Getenv(childOut) != "" {
		if err := child(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child() error {
	ctx := context.Background()
	data, err := dataset.Open(ctx, dataset.Ref{Path: os.Getenv(childData)}, nil)
	if err != nil {
		return err
	}
	c := extract.Config{Data: data, Backbone: &fake{delay: time.Millisecond}, Out: os.Getenv(childOut), Taps: []string{"cls", "mean", "tokens_1"}, Flip: true, Batch: 3, ShardRows: 8,
		Views: store.Views{Count: 4, Seed: 5, Augment: extract.ViewAugment}}
	if c.Part, err = store.ParsePart(os.Getenv(childPart)); err != nil {
		return err
	}
	if path := os.Getenv(childModel); path != "" {
		b, err := pretrained.Open(ctx, path, pretrained.Options{Taps: c.Taps})
		if err != nil {
			return err
		}
		c.Backbone = b
	}
	os.Stdout.WriteString("ready\n")
	_, err = extract.Run(ctx, c, nil)
	return err
}

// TestKill kills extractions with SIGKILL at random moments until one gets
// through, and compares all bytes with those of one that was left alone.
func TestKill(t *testing.T) {
	for _, name := range []string{"fake", "network"} {
		t.Run(name, func(t *testing.T) {
			model := ""
			if name == "network" {
				orttest.Require(t)
				model = vittest.WriteTiny(t, t.TempDir())
			}
			data := faces(t, 60).Path
			whole, broken := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
			took := startChild(t, data, model, whole).wait(t)
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
			kills, begun := 0, 0
			for range 15 {
				c := startChild(t, data, model, broken)
				time.Sleep(time.Duration(rng.Float64() * 0.5 * float64(took)))
				if c.kill(t) {
					kills++
				}
				s, err := store.Open(broken)
				if err == nil && s.Info().Complete {
					break
				}
				if err == nil && s.Info().Rows > 0 {
					begun++
				}
			}
			startChild(t, data, model, broken).wait(t)
			t.Logf("%d kills, %d of them between the first and the last shard; an unbroken run takes %v", kills, begun, took)
			if kills == 0 {
				t.Error("no extraction was killed: nothing was tested")
			}
			sameFiles(t, whole, broken)
		})
	}
}

type process struct {
	*exec.Cmd
	start  time.Time
	stderr bytes.Buffer
}

// startChild starts an extraction and returns when it is about to begin.
func startChild(t *testing.T, data, model, out string) *process {
	t.Helper()
	return startPart(t, data, model, out, "")
}

func startPart(t *testing.T, data, model, out, part string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(exe)}
	p.Env = append(os.Environ(), childData+"="+data, childModel+"="+model, childOut+"="+out, childPart+"="+part)
	p.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "ready" {
		_ = p.Process.Kill()
		_ = p.Wait()
		t.Fatalf("child said %q, %v: %s", line, err, p.stderr.String())
	}
	p.start = time.Now()
	return p
}

// wait lets the child finish and returns how long the extraction took.
func (p *process) wait(t *testing.T) time.Duration {
	t.Helper()
	if err := p.Wait(); err != nil {
		t.Fatalf("child: %v: %s", err, p.stderr.String())
	}
	return time.Since(p.start)
}

// kill ends the child and tells whether it was still at work.
func (p *process) kill(t *testing.T) bool {
	t.Helper()
	_ = p.Process.Kill() // SIGKILL
	_ = p.Wait()
	if p.ProcessState.Exited() && p.ProcessState.ExitCode() != 0 {
		t.Fatalf("child failed: %s", p.stderr.String())
	}
	return !p.ProcessState.Exited()
}

// TestProviderOfAStore: auto goes on with what began the store; a named provider stays, and another one is refused.
func TestProviderOfAStore(t *testing.T) {
	data := faces(t, 6)
	out := filepath.Join(t.TempDir(), "store")
	if p, err := extract.Provider(out, session.Auto); err != nil || p != session.Auto {
		t.Errorf("before there is a store: %q, %v", p, err)
	}
	c := extract.Config{Data: data, Backbone: &fake{}, Out: out}
	if _, err := extract.Run(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[session.Provider]session.Provider{"": c.Backbone.Provider(), session.Auto: c.Backbone.Provider(), session.Go: session.Go} {
		if got, err := extract.Provider(out, p); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", p, got, err, want)
		}
	}
	c.Backbone = onGo{&fake{}}
	var mismatch *store.MismatchError
	if _, err := extract.Run(t.Context(), c, nil); !errors.As(err, &mismatch) || len(mismatch.Differences) != 1 || mismatch.Differences[0].Field != "provider" {
		t.Errorf("another provider: %v", err)
	}
}

// onGo is a backbone on provider go.
type onGo struct{ *fake }

func (onGo) Provider() session.Provider { return session.Go }
func (onGo) RuntimeVersion() string     { return "1" }
