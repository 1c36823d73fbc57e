package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func openFixture(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(filepath.Join("testdata", name), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// sameTensors wants every float tensor of got to equal the one of want bit by
// bit (NaN included), and no float tensor to be on one side only.
func sameTensors(t *testing.T, got, want *File) {
	t.Helper()
	var floats []string
	for _, name := range got.Names() {
		if info, _ := got.Info(name); slices.Contains([]string{"F64", "F32", "F16", "BF16"}, info.DType) {
			floats = append(floats, name)
		}
	}
	if !slices.Equal(floats, want.Names()) {
		t.Fatalf("tensors are %q, want %q", floats, want.Names())
	}
	for _, name := range floats {
		gi, _ := got.Info(name)
		wi, _ := want.Info(name)
		if !slices.Equal(gi.Shape, wi.Shape) {
			t.Errorf("%s: shape %v, want %v", name, gi.Shape, wi.Shape)
		}
		g, err := got.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := want.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := firstDifference(g, w); i >= 0 {
			t.Errorf("%s: element %d of %v differs from torch's %v", name, i, g, w)
		}
	}
}

func firstDifference(a, b []float32) int {
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && !(a[i] != a[i] && b[i] != b[i]) {
			return i
		}
	}
	return -1
}

func TestFixtures(t *testing.T) {
	for _, name := range []string{"plain", "protocol4", "legacy", "deflated", "wrapped", "dataparallel", "dino", "dtypes", "views"} {
		t.Run(name, func(t *testing.T) {
			f := openFixture(t, name+".pth")
			sameTensors(t, f, openFixture(t, name+".expected.safetensors"))
		})
	}
	t.Run("dtypes.safetensors", func(t *testing.T) {
		f := openFixture(t, "dtypes.safetensors")
		if f.Metadata()["note"] != "every float type" {
			t.Errorf("metadata %v", f.Metadata())
		}
		sameTensors(t, f, openFixture(t, "dtypes_safetensors.expected.safetensors"))
	})
}

// The fixtures are compared with another file that this package reads; these
// numbers come from outside it.
func TestKnownValues(t *testing.T) {
	f := openFixture(t, "dtypes.pth")
	x, err := f.Float32("bf16")
	if err != nil {
		t.Fatal(err)
	}
	inf := float32(math.Inf(1))
	if tail := x[9:13]; !slices.Equal(tail, []float32{0, 0, inf, -inf}) || !math.Signbit(float64(tail[1])) || x[13] == x[13] || x[15] != 65536 {
		t.Errorf("special values are %v, want 0 -0 Inf -Inf NaN _ 65536", x[9:])
	}
	half, err := f.Float32("f16")
	if err != nil {
		t.Fatal(err)
	}
	if half[14] != 0x1p-24 || half[15] != 65504 {
		t.Errorf("smallest and largest float16 are %g and %g", half[14], half[15])
	}
	third, err := f.Float32("f64_exact")
	if err != nil || third[0] != float32(1.0/3) {
		t.Errorf("1/3 is %v, %v", third, err)
	}
}

func TestIgnored(t *testing.T) {
	for name, want := range map[string][]string{
		"plain.pth":   nil,
		"wrapped.pth": {"args", "best", "epoch", "optimizer"},
		"dino.pth":    {"dino_loss", "epoch", "student", "teacher.head.last_layer.weight_g", "teacher.head.mlp.0.weight"},
	} {
		if got := openFixture(t, name).choice.ignored; !slices.Equal(got, want) {
			t.Errorf("%s ignores %q, want %q", name, got, want)
		}
	}
}

func TestTeacherBeforeStudent(t *testing.T) {
	f := openFixture(t, "dino.pth")
	got, err := f.Float32("norm.weight")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := openFixture(t, "dino.expected.safetensors").Float32("norm.weight")
	if !slices.Equal(got, want) {
		t.Errorf("norm.weight is %v, want the teacher's %v", got, want)
	}
}

func TestIntegersAreListedButNotRead(t *testing.T) {
	f := openFixture(t, "plain.pth")
	info, ok := f.Info("1.num_batches_tracked")
	if !ok || info.DType != "I64" || len(info.Shape) != 0 {
		t.Errorf("info %+v, %v", info, ok)
	}
	if _, err := f.Float32("1.num_batches_tracked"); err == nil || !strings.Contains(err.Error(), "I64") {
		t.Errorf("reading an integer tensor gives %v", err)
	}
	if _, err := f.Float32("missing"); err == nil || !strings.Contains(err.Error(), `"missing"`) {
		t.Errorf("reading a missing tensor gives %v", err)
	}
	if _, ok := f.Info("missing"); ok {
		t.Error("Info knows a missing tensor")
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"evil_os_system_2.pth": `"posix.system"`,
		"evil_os_system_4.pth": `"posix.system"`,
		"evil_eval_2.pth":      `"__builtin__.eval"`,
		"evil_eval_4.pth":      `"builtins.eval"`,
		"evil_getattr_2.pth":   `"__builtin__.getattr"`,
		"evil_getattr_4.pth":   `"builtins.getattr"`,
		"evil_open_2.pth":      `"io.open"`,
		"evil_open_4.pth":      `"io.open"`,
		"module.pth":           `"torch.nn.modules.container.Sequential"`,
		"expanded.pth":         "1000 elements",
	} {
		f, err := Open(filepath.Join("testdata", name), "")
		if err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %q does not tell %s", name, err, want)
		}
	}
	if _, err := os.Stat("owned"); err == nil {
		t.Fatal("a pickle was executed")
	}
}

func TestNotWeights(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "empty"},
		{"html", "<!DOCTYPE html><html>Not found</html>", "web page"},
		{"lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "Git LFS"},
		{"pickle", "\x80\x02}q\x00.", "bare pickle"},
		{"tar", strings.Repeat("\x00", 257) + "ustar" + strings.Repeat("\x00", 200), "tar file"},
		{"zip", "PK\x03\x04 and no directory", "zip"},
		{"noise", "\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad", "neither a torch file nor safetensors"},
		{"short", "abc", "header too small"},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, "")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with %q and the path", c.name, err, c.want)
		}
	}
	if _, err := Open(t.TempDir(), ""); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "missing"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

// Every truncation of a file is an error already when it is opened.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"plain.pth", "legacy.pth", "deflated.pth", "dtypes.safetensors"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if _, err := readBytes(data[:n]); err == nil {
				t.Errorf("%s cut to %d of %d bytes was opened", name, n, len(data))
			}
		}
		if _, err := readBytes(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A flipped bit in a stored tensor's data is found by the archive's checksum.
func TestCorrupted(t *testing.T) {
	data, err := os.ReadFile("testdata/plain.pth")
	if err != nil {
		t.Fatal(err)
	}
	f := openFixture(t, "plain.pth")
	first, err := f.Float32("0.weight")
	if err != nil {
		t.Fatal(err)
	}
	bits := math.Float32bits(first[0])
	pattern := []byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)}
	at := strings.Index(string(data), string(pattern))
	data[at] ^= 1
	path := filepath.Join(t.TempDir(), "corrupted.pth")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	bad, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if _, err := bad.Float32("0.weight"); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a flipped bit gives %v, want a checksum error", err)
	}
}

func TestSHA256(t *testing.T) {
	data, err := os.ReadFile("testdata/plain.pth")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	f := openFixture(t, "plain.pth")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := f.SHA256(ended); !errors.Is(err, context.Canceled) || got != "" {
		t.Errorf("after Ctrl-C: %q, %v", got, err)
	}
	got, err := f.SHA256(t.Context()) // what was interrupted is not remembered
	if err != nil || got != hex.EncodeToString(sum[:]) {
		t.Errorf("SHA256 is %s, %v, want %x", got, err, sum)
	}
}

func TestConcurrentReads(t *testing.T) {
	f := openFixture(t, "views.pth")
	want := openFixture(t, "views.expected.safetensors")
	var wg sync.WaitGroup
	for _, name := range want.Names() {
		for range 4 {
			wg.Go(func() {
				g, err := f.Float32(name)
				if err != nil {
					t.Error(err)
					return
				}
				w, _ := want.Float32(name)
				if firstDifference(g, w) >= 0 {
					t.Errorf("%s differs", name)
				}
			})
		}
	}
	wg.Wait()
}

func TestReadAfterClose(t *testing.T) {
	f, err := Open("testdata/plain.pth", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Float32("0.weight"); err == nil {
		t.Error("a closed file was read")
	}
}

// The real weights of timm's ViT-Tiny/16, where they are at hand.
func TestViTTiny(t *testing.T) {
	path := os.Getenv("GRAFT_VIT_TINY")
	if path == "" {
		t.Skip("GRAFT_VIT_TINY names no file: the real ViT-Tiny/16 weights are not checked")
	}
	f, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := len(f.Names()); n != 152 {
		t.Errorf("%d tensors, want 152", n)
	}
	total := 0
	for _, name := range f.Names() {
		x, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(x)
	}
	if total != 5717416 {
		t.Errorf("%d parameters, want 5717416", total)
	}
	if sum, err := f.SHA256(t.Context()); err != nil || sum != "a22e9b3685d1feca11a382fbed2db95defc965fe037c026069331b6c243268a6" {
		t.Errorf("SHA-256 %s, %v", sum, err)
	}
}
