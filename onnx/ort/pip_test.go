package ort

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/onnx/session"
)

// wheelOf is a wheel with libraries for a test's platform, and what is pinned of it.
func wheelOf(t *testing.T, names ...string) ([]byte, wheel) {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range append(names, "onnxruntime/capi/onnxruntime_pybind11_state.so", "onnxruntime/tools/liba.so") {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), wheel{archive{"x.whl", sum(buf.Bytes())}, "311", "linux", []member{{inWheel + "liba.so", sum([]byte(inWheel + "liba.so"))}, {inWheel + "libonnxruntime.so.1", sum([]byte(inWheel + "libonnxruntime.so.1"))}}}
}

// TestInstallOpenVINO: the wheel comes through pip, or as a file, by its hash; of it the libraries that are named alone.
func TestInstallOpenVINO(t *testing.T) {
	whole, pin := wheelOf(t, "onnxruntime/capi/liba.so", "onnxruntime/capi/libonnxruntime.so.1")
	cut, cutPin := wheelOf(t, "onnxruntime/capi/liba.so")
	for _, tt := range []struct {
		name, want string
		data       []byte
		pin        wheel
	}{
		{"whole", "", whole, pin},
		{"another", "not the file that graft was tested with", cut, pin},
		{"without the library", "libonnxruntime.so.1 is missing", cut, cutPin},
	} {
		for _, file := range []bool{false, true} {
			i := testInstaller(t, nil, nil)
			i.wheels = map[string]wheel{"test/test": tt.pin}
			i.pip = func(_ context.Context, spec string, w wheel, dir string) (string, error) {
				if spec != openVINOPackage+"=="+openVINOVersion || w.name != "x.whl" {
					t.Errorf("pip is asked for %s, %v", spec, w)
				}
				path := filepath.Join(dir, w.name)
				return path, os.WriteFile(path, tt.data, 0o644)
			}
			i.OpenVINO, i.From = true, "auto"
			want := tt.want
			if file {
				i.OpenVINO, i.From = false, brought(t, tt.data)
				want = strings.Replace(want, "not the file", "is none", 1)
			}
			flavor, err := i.install(t.Context())
			if want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v, want %q", tt.name, err, want)
				}
				onlyWhole(t, i)
				continue
			}
			if err != nil || flavor != openVINOFlavor {
				t.Fatalf("%s: %q, %v", tt.name, flavor, err)
			}
			onlyWhole(t, i, openVINOFlavor)
			got, _ := filepath.Glob(filepath.Join(i.dir, openVINOFlavor, "*.so*"))
			if len(got) != 2 {
				t.Errorf("it holds %v, want the two libraries that are named", got)
			}
			record := filepath.Join(i.dir, openVINOFlavor, manifestName)
			text, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(record, bytes.Replace(text, []byte(`"`+openVINOVersion+`"`), []byte(`"1.0.0"`), 1), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := i.verify(t.Context(), openVINOFlavor); err == nil || !strings.Contains(err.Error(), "version 1.0.0, want "+openVINOVersion) {
				t.Errorf("of before an upgrade: %v", err)
			}
		}
	}
	i := testInstaller(t, nil, nil)
	i.OpenVINO, i.GPU, i.From = true, true, "auto"
	if _, err := i.install(t.Context()); err == nil || !strings.Contains(err.Error(), openVINOPackage) {
		t.Errorf("with GPU: %v", err)
	}
}

// TestPipIsInterrupted: a Python that hangs does not outlive the context.
func TestPipIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\nexec /bin/sleep 20\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: this system runs no shell scripts")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := pipDownload(ctx, "x", wheel{}, dir); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// TestWantedLibrary: OpenVINO's library goes first where that provider is wanted, and last elsewhere.
func TestWantedLibrary(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := cacheDir()
	if err != nil || !strings.HasPrefix(dir, os.Getenv("XDG_CACHE_HOME")) {
		t.Skip("SKIPPED: the caches of other systems are not told by a variable")
	}
	for _, flavor := range []string{"release", openVINOFlavor} {
		path := filepath.Join(dir, PinnedVersion, flavor, "libonnxruntime.so.1")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for wanted, first := range map[session.Provider]string{session.CPU: "release", session.OpenVINO: openVINOFlavor} {
		list := candidates(wanted)
		if list[0].flavor != first || !slices.ContainsFunc(list, func(c candidate) bool { return c.flavor == openVINOFlavor }) {
			t.Errorf("%s: %v", wanted, list)
		}
	}
	if text := notInBuild(session.OpenVINO); !strings.Contains(text, "lies beside it") {
		t.Errorf("OpenVINO's library is there: %s", text)
	}
}
