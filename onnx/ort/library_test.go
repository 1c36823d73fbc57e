package ort

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"graft/onnx/session"
)

func TestNewEnough(t *testing.T) {
	for version, want := range map[string]bool{"1.24.0": true, "1.25.1": true, "1.100.0": true, "1.23.2": false, "1.9.0": false, "2.0.0": false, "": false, "1": false, "x.y": false} {
		if newEnough(version) != want {
			t.Errorf("newEnough(%q) = %v, want %v", version, !want, want)
		}
	}
}

func TestIsLibraryName(t *testing.T) {
	for name, want := range map[string]bool{
		"libonnxruntime.so": true, "libonnxruntime.so.1": true, "libonnxruntime.so.1.25.1": true, "libonnxruntime.dylib": true,
		"libonnxruntime.1.25.1.dylib": true, "onnxruntime.dll": true,
		"libonnxruntime_providers_cuda.so": false, "libonnxruntime_providers_shared.so": false, "libonnxruntime4j_jni.so": false, "LICENSE": false,
	} {
		if isLibraryName(name) != want {
			t.Errorf("isLibraryName(%q) = %v, want %v", name, !want, want)
		}
	}
}

// TestLoadedVersion: what a session says of its runtime is what the library says.
func TestLoadedVersion(t *testing.T) {
	if err := Available(); err != nil {
		t.Skipf("SKIPPED, ONNX Runtime is needed: %v", err)
	}
	lib, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := libraryVersion(lib.Path); err != nil || got != lib.Version || got == "" {
		t.Errorf("got %q, %v; want %q", got, err, lib.Version)
	}
	s, err := OpenModel(tinyModel(), session.Options{Provider: session.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.RuntimeVersion() != lib.Version {
		t.Errorf("the session runs on %q, the library is %q", s.RuntimeVersion(), lib.Version)
	}
}

func TestFindNamesWhatTheVariableSays(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "libonnxruntime.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, dir, filepath.Join(dir, "missing.so")} {
		t.Setenv(EnvLibrary, path)
		if _, err := find(session.CPU); err == nil || !strings.Contains(err.Error(), EnvLibrary+"="+path) {
			t.Errorf("%s: got %v, want an error that names the variable and the file", path, err)
		}
	}
}

// A library of another kind is passed over with its reason, and the error says
// how to install one.
func TestFindPassesOver(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the names of libraries are Linux's")
	}
	t.Setenv(EnvLibrary, "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	base, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, PinnedVersion, "npm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "libonnxruntime.so.1")
	if err := os.WriteFile(path, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	lib, err := find(session.CPU)
	if err == nil {
		t.Skipf("SKIPPED: this system has a library of its own, %s", lib.Path)
	}
	if !strings.Contains(err.Error(), "graft setup") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the command and the file passed over", err)
	}
}

func TestAppendLibraries(t *testing.T) {
	dir := t.TempDir()
	names := []string{"libonnxruntime.so.1.25.1", "libonnxruntime.so.1", "libonnxruntime_providers_shared.so"}
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the names of libraries are Linux's")
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := appendLibraries(nil, dir, "cache", "npm")
	if len(got) != 2 || filepath.Base(got[0].path) != "libonnxruntime.so.1" {
		t.Errorf("got %v, want the short name, then the long one", got)
	}
}
