package ort

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"graft/internal/filehash"
	"graft/internal/regular"
	"graft/onnx/session"
)

// EnvLibrary is the environment variable that names the library's file and goes
// before every other place.
const EnvLibrary = "GRAFT_ORT_LIBRARY"

// The binding carries the headers of ONNX Runtime 1.24, so that version or a
// newer one answers it.
const (
	minMajor = 1
	minMinor = 24
)

// Library is an ONNX Runtime library on this machine.
type Library struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Source  string `json:"source"` // how it was found: the variable, cache, executable or system
	Flavor  string `json:"flavor"` // of a library in the cache: release, release-cuda12, release-cuda13, npm or openvino
}

// inCache is the source of what Install put there.
const inCache = "cache"

// candidate is a file that may be the library.
type candidate struct {
	path, source, flavor string
}

// find returns the library that graft uses: the file that GRAFT_ORT_LIBRARY
// names, else the user's cache as Install fills it, else beside the executable,
// else the system's usual folders. A library older than the binding is passed
// over, except where the variable names it: that is an error. In the cache the
// build with the wanted provider goes first.
func find(wanted session.Provider) (Library, error) {
	if path := os.Getenv(EnvLibrary); path != "" {
		lib, err := inspect(candidate{path, EnvLibrary, ""})
		if err != nil {
			return Library{}, fmt.Errorf("%s=%s: %w", EnvLibrary, path, err)
		}
		return lib, nil
	}
	var passed []string
	for _, c := range candidates(wanted) {
		lib, err := inspect(c)
		if err == nil {
			return lib, nil
		}
		passed = append(passed, fmt.Sprintf("\n  %s: %v", c.path, err))
	}
	if err := scarce(passed); err != nil {
		return Library{}, err
	}
	err := fmt.Errorf("%w: run 'graft setup' (or set %s to a libonnxruntime of version %d.%d or newer)", errNotInstalled, EnvLibrary, minMajor, minMinor)
	if len(passed) > 0 {
		err = fmt.Errorf("%w; passed over:%s", err, strings.Join(passed, ""))
	}
	return Library{}, err
}

// scarce tells a process that has no file descriptors left, which finds nothing, from a machine without the library.
func scarce(passed []string) error {
	for range spareFiles {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("look for the ONNX Runtime library: %w; allow more open files (ulimit -n)", err)
		}
		defer f.Close()
	}
	if i := slices.IndexFunc(passed, func(p string) bool { return strings.Contains(p, "oo many open files") }); i >= 0 {
		return fmt.Errorf("look for the ONNX Runtime library: %s; allow more open files (ulimit -n)", strings.TrimSpace(passed[i]))
	}
	return nil
}

// spareFiles are as many as looking for the library and loading it may have open at once.
const spareFiles = 8

// inspect loads the candidate far enough to read its version.
func inspect(c candidate) (Library, error) {
	path, err := filepath.Abs(c.path)
	if err != nil {
		return Library{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Library{}, err
	}
	if !info.Mode().IsRegular() {
		return Library{}, fmt.Errorf("want the library's file, got a folder or device")
	}
	if c.source == inCache {
		platform := runtime.GOOS + "/" + runtime.GOARCH
		known := pinned{releases[platform], npmMembers[platform], openVINOWheels[platform].members}
		if err := verify(filepath.Dir(path), c.flavor, known, hashOf); err != nil {
			return Library{}, fmt.Errorf("not what was installed: %w", err)
		}
	}
	version, err := libraryVersion(path)
	if err != nil {
		return Library{}, fmt.Errorf("%w%s", err, loaderHint(err.Error()))
	}
	if !newEnough(version) {
		return Library{}, fmt.Errorf("version %s is too old, want %d.%d or newer", version, minMajor, minMinor)
	}
	return Library{Path: path, Version: version, Source: c.source, Flavor: c.flavor}, nil
}

// hashOf is the SHA-256 of a file.
func hashOf(path string) (string, error) {
	f, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return filehash.Reader(f)
}

// loaderHint explains loader errors that have a known way out.
func loaderHint(msg string) string {
	switch {
	case strings.Contains(msg, "executable stack"):
		return "; the system refuses libraries that want an executable stack: clear the mark with 'patchelf --clear-execstack FILE'"
	case strings.Contains(msg, "ld-linux") || strings.Contains(msg, "GLIBC_"):
		return "; the official builds need glibc 2.28 or newer (Alpine's musl does not do)"
	}
	return ""
}

// newEnough compares a version like "1.25.1" with the binding's.
func newEnough(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && major == minMajor && minor >= minMinor
}

// candidates lists the existing files that may be the library, best first.
func candidates(wanted session.Provider) []candidate {
	var list []candidate
	order := flavors
	if wanted == session.OpenVINO {
		order = append([]string{openVINOFlavor}, flavors...)
	}
	for _, flavor := range order {
		if dir, err := cacheDir(); err == nil {
			list = appendLibraries(list, filepath.Join(dir, PinnedVersion, flavor), inCache, flavor)
		}
	}
	if exe, err := os.Executable(); err == nil {
		dir := filepath.Dir(exe)
		list = appendLibraries(list, dir, "executable", "")
		list = appendLibraries(list, filepath.Join(dir, "..", "lib"), "executable", "")
	}
	for _, dir := range systemDirs() {
		list = appendLibraries(list, dir, "system", "")
	}
	return list
}

// openVINOLibraries are the library with OpenVINO in the cache.
func openVINOLibraries() []candidate {
	dir, err := cacheDir()
	if err != nil {
		return nil
	}
	return appendLibraries(nil, filepath.Join(dir, PinnedVersion, openVINOFlavor), inCache, openVINOFlavor)
}

// appendLibraries adds what in dir bears the library's name. The shortest name
// goes first: it is the one that the system's links keep current.
func appendLibraries(list []candidate, dir, source, flavor string) []candidate {
	found, _ := filepath.Glob(filepath.Join(dir, libraryPattern())) // none below a folder that is no pattern
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(b, a)) })
	for _, path := range found {
		if isLibraryName(filepath.Base(path)) {
			list = append(list, candidate{path, source, flavor})
		}
	}
	return list
}

func libraryPattern() string {
	switch runtime.GOOS {
	case "windows":
		return "onnxruntime.dll"
	case "darwin":
		return "libonnxruntime*.dylib"
	}
	return "libonnxruntime.so*"
}

// isLibraryName tells the library from its companions, such as
// libonnxruntime_providers_shared.so.
func isLibraryName(name string) bool {
	rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "lib"), "onnxruntime"), ".dylib")
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, ".so"), ".dll")
	return strings.Trim(rest, ".0123456789") == ""
}

// systemDirs are the folders where packages and people put shared libraries.
func systemDirs() []string {
	var dirs []string
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		for _, dir := range filepath.SplitList(os.Getenv(name)) {
			if filepath.IsAbs(dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	switch runtime.GOOS {
	case "windows":
		return nil // System32's onnxruntime.dll is Windows' own, and old
	case "darwin":
		return append(dirs, "/opt/homebrew/lib", "/usr/local/lib", "/opt/onnxruntime/lib")
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return append(dirs, "/usr/local/lib", "/usr/lib/"+arch+"-linux-gnu", "/usr/lib64", "/usr/lib", "/opt/onnxruntime/lib")
}
