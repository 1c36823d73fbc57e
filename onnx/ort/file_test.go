package ort

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/internal/schema"
)

// brought writes a file that the user has from elsewhere, under a name that says nothing.
func brought(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "download (1)")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Without a network the user brings a file: either archive, or npm's library, told by its hash.
func TestInstallFromFile(t *testing.T) {
	lib := "the library"
	release := tgz(t, releaseEntries)
	npm := tgz(t, []entry{{"package/bin/libonnxruntime.so.1", lib, false}, {"package/script/install.js", "evil()", false}})
	bad := tgz(t, []entry{{"package/bin/libonnxruntime.so.1", "another", false}})
	for _, tt := range []struct{ name, data, flavor, want string }{
		{"release", string(release), "release", ""},
		{"npm", string(npm), "npm", ""},
		{"library", lib, "npm", ""},
		{"other npm", string(bad), "", "not the file that graft was tested with"},
		{"other library", "another", "", "is none that graft was tested with"},
		{"cut", string(release[:100]), "", "unpack"},
		{"empty", "", "", "is none that graft was tested with"},
	} {
		i := testInstaller(t, release, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the network was asked", tt.name) })
		i.members = map[string][]member{"test/test": {{"package/bin/libonnxruntime.so.1", sum([]byte(lib))}}}
		i.From = brought(t, []byte(tt.data))
		flavor, err := i.install(t.Context())
		if tt.want == "" && (err != nil || flavor != tt.flavor) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %q, %v; want %q, %q", tt.name, flavor, err, tt.flavor, tt.want)
		}
		if tt.flavor == "" {
			onlyWhole(t, i)
		} else {
			onlyWhole(t, i, tt.flavor)
		}
	}
	i := testInstaller(t, release, nil)
	i.From = t.TempDir()
	if _, err := i.install(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// Who changed the library in the cache may have changed the record beside it: the hash in the program decides, be it the
// library's or that of the archive it came out of.
func TestChangedWithItsRecord(t *testing.T) {
	lib := "the library"
	release := tgz(t, releaseEntries)
	whole, pin := wheelOf(t, "onnxruntime/capi/liba.so", "onnxruntime/capi/libonnxruntime.so.1")
	for _, tt := range []struct {
		flavor, library string
		file            []byte
	}{
		{"npm", "libonnxruntime.so.1", []byte(lib)},
		{"release", "libonnxruntime.so.1.0", release},
		{"release", "a.tgz", release},
		{openVINOFlavor, "liba.so", whole},
	} {
		i := testInstaller(t, release, nil)
		i.members = map[string][]member{"test/test": {{"package/bin/libonnxruntime.so.1", sum([]byte(lib))}}}
		i.wheels = map[string]wheel{"test/test": pin}
		i.From = brought(t, tt.file)
		if _, err := i.install(t.Context()); err != nil {
			t.Fatal(err)
		}
		onlyWhole(t, i, tt.flavor)
		forge(t, filepath.Join(i.dir, tt.flavor), tt.flavor, tt.library)
		if err := i.verify(t.Context(), tt.flavor); err == nil || !strings.Contains(err.Error(), "SHA-256 "+sum([]byte("evil"))+", want ") {
			t.Errorf("%s: a changed %s with a record to match: %v", tt.flavor, tt.library, err)
		}
		if _, err := i.install(t.Context()); err != nil {
			t.Fatal(err)
		}
		onlyWhole(t, i, tt.flavor)
		// A loader would take a stranger with a shorter name first.
		stranger := filepath.Join(i.dir, tt.flavor, "libonnxruntime.so")
		if err := os.WriteFile(stranger, []byte("evil"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := i.verify(t.Context(), tt.flavor); err == nil || !strings.Contains(err.Error(), stranger+" is none") {
			t.Errorf("%s: beside a stranger: %v", tt.flavor, err)
		}
	}
	// A folder made up whole has no archive, or is of a build of which nothing is pinned.
	for flavor, want := range map[string]string{"release": "a.tgz, which tells the hashes", "release-cuda12": "no SHA-256"} {
		i := testInstaller(t, release, nil)
		dir := filepath.Join(i.dir, flavor)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		forge(t, dir, flavor, "libonnxruntime.so.1.0")
		if err := i.verify(t.Context(), flavor); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("made up %s: %v, want %q", flavor, err, want)
		}
	}
}

// forge writes another file of a library's name, and a record that says it is right.
func forge(t *testing.T, dir, flavor, library string) {
	t.Helper()
	data, err := schema.Marshal("graft-runtime-1", manifest{Version: versionOf(flavor), Files: map[string]string{library: sum([]byte("evil"))}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{library: "evil", manifestName: string(data)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What lies in the cache is compared with the program's hash whenever it is looked for, not at the installation alone.
func TestLoadComparesWithThePin(t *testing.T) {
	dir := t.TempDir()
	forge(t, dir, "npm", "libonnxruntime.so.1")
	_, err := inspect(candidate{filepath.Join(dir, "libonnxruntime.so.1"), inCache, "npm"})
	if err == nil || !strings.Contains(err.Error(), "not what was installed") {
		t.Errorf("got %v, want it not to be loaded", err)
	}
}

func TestNPMReason(t *testing.T) {
	for want, said := range map[string]string{
		"network request to https://registry.example.org/p failed, reason: getaddrinfo ENOTFOUND registry.example.org": `npm error code ENOTFOUND
npm error syscall getaddrinfo
npm error errno ENOTFOUND
npm error network request to https://registry.example.org/p failed, reason: getaddrinfo ENOTFOUND registry.example.org
npm error network This is a problem related to network connectivity.
npm error A complete log of this run can be found in: /root/.npm/_logs/x.log
`,
		"404 Not Found - GET https://registry.example.org/p": "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://registry.example.org/p\nnpm ERR! 404 \n\n",
		"EACCES":              "npm error code EACCES\n",
		"node: not found":     "node: not found\n",
		"it does not say why": "\n",
	} {
		if got := npmReason(said); got != want {
			t.Errorf("%q\ngives %q, want %q", said, got, want)
		}
	}
}

// A client of npm that fails is asked for its reason; the password of a registry is no part of it.
func TestNPMPackSaysWhy(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\necho 'npm error network request to https://me:secret@registry.example.org/p failed, reason: no such host' >&2\necho >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := npmPack(context.Background(), "p@1", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "reason: no such host") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want the reason and no password", err)
	}
}
