package ort

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"graft/internal/atomicfile"
)

// entry is a file in a test archive.
type entry struct {
	name, content string
	link          bool
}

var releaseEntries = []entry{
	{"./onnxruntime-x-1/LICENSE", "MIT", false},
	{"./onnxruntime-x-1/include/onnxruntime_c_api.h", "#define", false},
	{"./onnxruntime-x-1/lib/libonnxruntime.so.1", "libonnxruntime.so.1.0", true},
	{"./onnxruntime-x-1/lib/libonnxruntime.so.1.0", strings.Repeat("library ", 40_000), false},
	{"./onnxruntime-x-1/lib/libonnxruntime_providers_shared.so", "shared", false},
	{"./onnxruntime-x-1/lib/cmake/onnxruntimeConfig.cmake", "set()", false},
}

func tgz(t testing.TB, entries []entry) []byte { return zipped(t, tarball(t, entries)) }

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	if _, err := gz.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func tarball(t testing.TB, entries []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.link {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.content, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if !e.link {
			if _, err := w.Write([]byte(e.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// testInstaller installs data from a server on the loopback interface.
func testInstaller(t *testing.T, data []byte, serve http.HandlerFunc) *installer {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return &installer{
		InstallOptions: InstallOptions{From: "release"}, dir: t.TempDir(), platform: "test/test",
		releases: map[string]map[string]archive{"test/test": {"release": {"a.tgz", sum(data)}}},
		url:      func(name string) string { return server.URL + "/" + name },
		npm: func(context.Context, string, string) (string, error) {
			return "", errors.New("npm must not be asked")
		},
		retryPause: time.Millisecond,
	}
}

// onlyWhole checks that the cache holds the flavors and nothing half done.
func onlyWhole(t *testing.T, i *installer, flavors ...string) {
	t.Helper()
	entries, err := os.ReadDir(i.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
		if err := i.verify(t.Context(), e.Name()); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	if strings.Join(got, " ") != strings.Join(flavors, " ") {
		t.Errorf("the cache holds %v, want %v", got, flavors)
	}
}

// etag lets a download go on where it was cut.
const etag = `"a"`

func whole(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// cutting serves pieces of at most a third, then cuts the connection. Without
// ranges it starts over at every request, and the third one gets through.
func cutting(data []byte, ranges bool, requests *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		w.Header().Set("ETag", etag)
		from := 0
		if h := r.Header.Get("Range"); h != "" && ranges {
			from, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(h, "bytes="), "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		}
		to := min(len(data), from+len(data)/3+1)
		if !ranges && n == 3 {
			to = len(data)
		}
		_, _ = w.Write(data[from:to])
		if to < len(data) {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func TestInstallRelease(t *testing.T) {
	data := tgz(t, releaseEntries)
	var requests atomic.Int64
	tests := []struct {
		name  string
		serve http.HandlerFunc
	}{
		{"whole", whole(data)},
		{"cut and resumed", cutting(data, true, &requests)},
		{"cut, server without ranges", cutting(data, false, new(atomic.Int64))},
		{"busy at first", func() http.HandlerFunc {
			n := 0
			return func(w http.ResponseWriter, r *http.Request) {
				if n++; n < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				whole(data)(w, r)
			}
		}()},
	}
	for _, tt := range tests {
		i := testInstaller(t, data, tt.serve)
		var done, total int64
		i.Progress = func(d, n int64) { done, total = d, n }
		flavor, err := i.install(context.Background())
		if err != nil || flavor != "release" {
			t.Errorf("%s: %q, %v", tt.name, flavor, err)
			continue
		}
		onlyWhole(t, i, "release")
		if done != int64(len(data)) || total != done {
			t.Errorf("%s: progress ended at %d of %d, want %d", tt.name, done, total, len(data))
		}
		for name, want := range map[string]int64{"libonnxruntime.so.1.0": 320_000, "libonnxruntime_providers_shared.so": 6, "LICENSE": 3} {
			if info, err := os.Stat(filepath.Join(i.dir, "release", name)); err != nil || info.Size() != want {
				t.Errorf("%s: %s: %v, %v; want %d bytes", tt.name, name, info, err, want)
			}
		}
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("the cut download took %d requests, want 3: each goes on where the last was cut", n)
	}
}

func TestInstallRefuses(t *testing.T) {
	good := tgz(t, releaseEntries)
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000000000")
		_, _ = w.Write(make([]byte, 1000))
	}
	noLibrary := tgz(t, releaseEntries[:2])
	tests := []struct {
		name   string
		data   []byte // whose hash is pinned
		serve  http.HandlerFunc
		change func(i *installer)
		want   string
	}{
		{"wrong hash", []byte("other"), whole(good), nil, "SHA-256 " + sum(good)},
		{"not there", good, http.NotFound, nil, "404"},
		{"too large", good, endless, nil, "want at most"},
		{"always cut", good, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "EOF"},
		{"wrong range", good, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", etag)
			if r.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write(good[:10])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Range", "bytes 0-9/1000")
			w.WriteHeader(http.StatusPartialContent)
		}, nil, `part "bytes 0-9/1000" for byte 10`},
		{"not an archive", []byte("<html>"), whole([]byte("<html>")), nil, "unpack a.tgz"},
		{"no library in it", noLibrary, whole(noLibrary), nil, "no ONNX Runtime library"},
		{"unpinned platform", good, whole(good), func(i *installer) { i.platform = "plan9/mips" }, "no SHA-256 is pinned"},
		{"unpinned flavor", good, whole(good), func(i *installer) { i.GPU = true; i.CUDA = 13 }, "release-cuda13"},
		{"unknown source", good, whole(good), func(i *installer) { i.From = "pip" }, "auto, release, npm or a file"},
		{"npm has no CUDA", good, whole(good), func(i *installer) { i.From, i.GPU = "npm", true }, "no CUDA"},
		{"unknown CUDA", good, whole(good), func(i *installer) { i.GPU, i.CUDA = true, 11 }, "want 12 or 13"},
	}
	for _, tt := range tests {
		i := testInstaller(t, tt.data, tt.serve)
		if tt.change != nil {
			tt.change(i)
		}
		_, err := i.install(context.Background())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
		onlyWhole(t, i)
	}
}

// A cancelled install keeps what it has downloaded, and the next one goes on.
func TestInstallStopsWhenCancelled(t *testing.T) {
	data := tgz(t, releaseEntries)
	ctx, cancel := context.WithCancel(context.Background())
	var asked []string
	i := testInstaller(t, data, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if ctx.Err() != nil {
			whole(data)(w, r)
			return
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:100])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	i.From = "auto"
	i.Progress = func(done, _ int64) {
		if done == 100 {
			cancel()
		}
	}
	if _, err := i.install(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context canceled", err)
	}
	if info, err := os.Stat(filepath.Join(i.dir, "a.tgz.part")); err != nil || info.Size() != 100 {
		t.Errorf("the unfinished download: %v, %v; want 100 bytes", info, err)
	}
	if _, err := i.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	onlyWhole(t, i, "release")
	if !slices.Equal(asked, []string{"", "bytes=100-"}) {
		t.Errorf("requests for %q", asked)
	}
}

// While another process downloads the archive, this one says so and does not
// turn to npm.
func TestInstallWhileAnotherDownloads(t *testing.T) {
	data := tgz(t, releaseEntries)
	var i *installer
	i = testInstaller(t, data, func(w http.ResponseWriter, r *http.Request) {
		other := *i
		if _, err := other.install(context.Background()); err == nil || !strings.Contains(err.Error(), "another process is downloading") {
			t.Errorf("the second install: %v", err)
		}
		whole(data)(w, r)
	})
	i.From = "auto"
	if _, err := i.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	onlyWhole(t, i, "release")
}

// An install that was killed while it unpacked leaves the archive: the next one
// takes it if it is whole.
func TestInstallTakesArchiveThatIsThere(t *testing.T) {
	data := tgz(t, releaseEntries)
	for content, want := range map[string]int{string(data): 0, "half": 1} {
		requests := 0
		i := testInstaller(t, data, func(w http.ResponseWriter, r *http.Request) { requests++; whole(data)(w, r) })
		if err := os.WriteFile(filepath.Join(i.dir, "a.tgz"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := i.install(context.Background()); err != nil {
			t.Fatal(err)
		}
		onlyWhole(t, i, "release")
		if requests != want {
			t.Errorf("archive of %d bytes: %d requests, want %d", len(content), requests, want)
		}
	}
}

func TestInstallFallsBackToNPM(t *testing.T) {
	lib := "the library"
	pkg := tgz(t, []entry{{"package/bin/libonnxruntime.so.1", lib, false}, {"package/script/install.js", "evil()", false}})
	i := testInstaller(t, []byte("x"), http.NotFound)
	i.From = "auto"
	i.members = map[string][]member{"test/test": {{"package/bin/libonnxruntime.so.1", sum([]byte(lib))}}}
	i.npm = func(_ context.Context, spec, dir string) (string, error) {
		if want := npmPackage + "@" + PinnedVersion; spec != want {
			t.Errorf("npm is asked for %s, want %s", spec, want)
		}
		path := filepath.Join(dir, "p.tgz")
		return path, os.WriteFile(path, pkg, 0o644)
	}
	var lines []string
	i.Log = func(line string) { lines = append(lines, line) }
	flavor, err := i.install(context.Background())
	if err != nil || flavor != "npm" {
		t.Fatalf("%q, %v\n%s", flavor, err, strings.Join(lines, "\n"))
	}
	onlyWhole(t, i, "npm")
	if _, err := os.Stat(filepath.Join(i.dir, "npm", "install.js")); err == nil {
		t.Error("a script was unpacked")
	}

	// The second time nothing is fetched, neither from the release nor from npm.
	i.npm = func(context.Context, string, string) (string, error) { t.Error("npm is asked again"); return "", nil }
	i.url = func(string) string { t.Error("the release is asked again"); return "" }
	if flavor, err := i.install(context.Background()); err != nil || flavor != "npm" {
		t.Errorf("again: %q, %v", flavor, err)
	}
}

func TestInstallNPMRefuses(t *testing.T) {
	pkg := tgz(t, []entry{{"package/bin/libonnxruntime.so.1", "changed", false}})
	for name, tt := range map[string]struct {
		member member
		want   string
	}{
		"wrong hash": {member{"package/bin/libonnxruntime.so.1", sum([]byte("original"))}, "SHA-256"},
		"missing":    {member{"package/bin/other.so", sum([]byte("changed"))}, "package/bin/other.so is missing"},
	} {
		i := testInstaller(t, nil, http.NotFound)
		i.From = "npm"
		i.members = map[string][]member{"test/test": {tt.member}}
		i.npm = func(_ context.Context, _, dir string) (string, error) {
			path := filepath.Join(dir, "p.tgz")
			return path, os.WriteFile(path, pkg, 0o644)
		}
		if _, err := i.install(context.Background()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
		}
		onlyWhole(t, i)
	}
}

func TestInstallMendsABrokenFolder(t *testing.T) {
	data := tgz(t, releaseEntries)
	i := testInstaller(t, data, whole(data))
	if _, err := i.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(i.dir, "release", "libonnxruntime.so.1.0")
	if err := os.WriteFile(lib, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(i.dir, atomicfile.TempPrefix+"old")
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(stale, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := i.install(context.Background()); err != nil {
		t.Fatal(err)
	}
	onlyWhole(t, i, "release")
}

func TestPinsAreWellFormed(t *testing.T) {
	check := func(where, hash string) {
		if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 {
			t.Errorf("%s: %q is no SHA-256", where, hash)
		}
	}
	for platform, archives := range releases {
		for flavor, a := range archives {
			check(platform+" "+flavor, a.sha256)
			if !strings.Contains(a.name, PinnedVersion) {
				t.Errorf("%s is not of version %s", a.name, PinnedVersion)
			}
		}
	}
	for platform, members := range npmMembers {
		for _, m := range members {
			check(platform+" "+m.path, m.sha256)
		}
	}
	if runtime.GOOS == "linux" && npmMembers["linux/"+runtime.GOARCH] == nil {
		t.Errorf("nothing pinned for linux/%s", runtime.GOARCH)
	}
	if !newEnough(PinnedVersion) {
		t.Errorf("the pinned version %s is too old for the binding", PinnedVersion)
	}
}
