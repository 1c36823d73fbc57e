package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fileServer is a server on the loopback interface with the faults of real
// ones.
type fileServer struct {
	t       *testing.T
	mu      sync.Mutex
	data    []byte
	etag    string
	noRange bool  // always sends the whole file
	cuts    []int // how many bytes each answer sends before the connection breaks; -1: all
	status  []int // answers with these first
	stated  string
	shift   bool // parts start one byte late
	ignore  bool // ignores If-Range
	seen    []string
	hook    func(sent int)
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Header.Get("Range"))
	if len(s.status) > 0 {
		code := s.status[0]
		s.status = s.status[1:]
		w.WriteHeader(code)
		return
	}
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	if s.stated != "" {
		w.Header().Set("X-Linked-Etag", `"`+s.stated+`"`)
	}
	from := s.start(r)
	if from < 0 {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	body := s.data[from:]
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if from > 0 {
		first := from
		if s.shift {
			first++
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(s.data)-1, len(s.data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	s.send(w, body)
}

// start reads Range; -1 is beyond the file.
func (s *fileServer) start(r *http.Request) int {
	var from int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n != 1 || s.noRange {
		return 0
	}
	if s.etag == "" || r.Header.Get("If-Range") != s.etag && !s.ignore {
		return 0
	}
	if from >= len(s.data) {
		return -1
	}
	return from
}

func (s *fileServer) send(w http.ResponseWriter, body []byte) {
	cut := -1
	if len(s.cuts) > 0 {
		cut, s.cuts = s.cuts[0], s.cuts[1:]
	}
	if cut < 0 {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:min(cut, len(body))])
	_ = http.NewResponseController(w).Flush()
	if s.hook != nil {
		s.hook(cut)
	}
	panic(http.ErrAbortHandler)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func randomBytes(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// serve starts a server with a random file and returns an entry for it.
func serve(t *testing.T, s *fileServer) (Entry, DownloadOptions, *[]string) {
	t.Helper()
	s.t = t
	if s.data == nil {
		s.data = randomBytes(700_000, 1)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	var mu sync.Mutex
	var log []string
	o := DownloadOptions{Backoff: time.Millisecond, Log: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, line)
	}}
	return Entry{Name: "fake", URL: server.URL + "/fake.pth", SHA256: digestOf(s.data), File: "fake.pth"}, o, &log
}

// wantFile checks the result and that nothing else lies in the folder.
func wantFile(t *testing.T, dir string, res Result, data []byte) {
	t.Helper()
	got, err := os.ReadFile(res.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) || res.SHA256 != digestOf(data) {
		t.Errorf("the file differs: %d bytes, SHA-256 %s, want %d, %s", len(got), res.SHA256, len(data), digestOf(data))
	}
	side, err := os.ReadFile(res.Path + ".sha256")
	if err != nil || string(side) != digestOf(data)+"  fake.pth\n" {
		t.Errorf("the record is %q, %v", side, err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 {
		t.Errorf("the folder holds %v, want the file and its record", entries)
	}
}

func TestDownload(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *fileServer
		ranges string // the Range headers seen, joined
	}{
		{"whole", &fileServer{etag: `"a"`}, "-"},
		{"cut twice", &fileServer{etag: `"a"`, cuts: []int{1000, 250_000}}, "- bytes=1000- bytes=251000-"},
		{"cut before the first byte", &fileServer{etag: `"a"`, cuts: []int{0}}, "- -"},
		{"cut, no ranges", &fileServer{etag: `"a"`, noRange: true, cuts: []int{1000}}, "- bytes=1000-"},
		{"cut, no ETag", &fileServer{cuts: []int{1000}}, "- -"},
		{"cut, weak ETag", &fileServer{etag: `W/"a"`, cuts: []int{1000}}, "- -"},
		{"parts at the wrong place", &fileServer{etag: `"a"`, shift: true, cuts: []int{1000}}, "- bytes=1000- -"},
		{"server busy", &fileServer{etag: `"a"`, status: []int{503, 429, 500}}, "- - - -"},
		{"busy after a cut", &fileServer{etag: `"a"`, cuts: []int{1000}}, "- bytes=1000-"},
		{"empty file", &fileServer{etag: `"a"`, data: []byte{}}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.server
			e, o, _ := serve(t, s)
			var last, total int64
			o.Progress = func(d, n int64) { last, total = d, n }
			dir := filepath.Join(t.TempDir(), "models")
			res, err := Download(context.Background(), e, dir, o)
			if err != nil {
				t.Fatal(err)
			}
			wantFile(t, dir, res, s.data)
			if !res.Pinned || !res.Fetched || !strings.Contains(res.Verified, "the zoo") {
				t.Errorf("result %+v", res)
			}
			if n := int64(len(s.data)); last != n || total != n {
				t.Errorf("progress ended at %d of %d, want %d", last, total, n)
			}
			if got := ranges(s); got != c.ranges {
				t.Errorf("requests %q, want %q", got, c.ranges)
			}
		})
	}
}

func ranges(s *fileServer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.seen))
	for i, r := range s.seen {
		if out[i] = r; r == "" {
			out[i] = "-"
		}
	}
	return strings.Join(out, " ")
}

func TestFileThatIsThere(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, log := serve(t, s)
	dir := t.TempDir()
	if _, err := Download(context.Background(), e, dir, o); err != nil {
		t.Fatal(err)
	}
	res, err := Download(context.Background(), e, dir, o)
	if err != nil || res.Fetched {
		t.Errorf("the second download gives %+v, %v", res, err)
	}
	if len(s.seen) != 1 {
		t.Errorf("%d requests, want 1", len(s.seen))
	}
	if err := os.WriteFile(res.Path, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err = Download(context.Background(), e, dir, o); err != nil || !res.Fetched {
		t.Errorf("over a damaged file: %+v, %v", res, err)
	}
	wantFile(t, dir, res, s.data)
	if !strings.Contains(strings.Join(*log, "\n"), "downloading it again") {
		t.Errorf("the log %q does not tell of the damage", *log)
	}
}

func TestWrongHash(t *testing.T) {
	other := digestOf([]byte("other"))
	for _, c := range []struct {
		name, pinned, stated, recorded, want string
	}{
		{"zoo", other, "", "", "the zoo says " + other},
		{"first eight digits", other[:8], "", "", "the zoo says " + other[:8]},
		{"server", "", other, "", "the server says " + other},
		{"server, while the zoo's is right", "right", other, "", "the server says " + other},
		{"record", "", "", other, "delete the record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fileServer{etag: `"a"`, stated: c.stated}
			e, o, _ := serve(t, s)
			if c.pinned != "right" {
				e.SHA256 = c.pinned
			}
			dir := t.TempDir()
			if c.recorded != "" {
				if err := os.WriteFile(filepath.Join(dir, "fake.pth.sha256"), []byte(c.recorded+"  fake.pth\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Download(context.Background(), e, dir, o)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), digestOf(s.data)) {
				t.Errorf("error %v, want one with %q and the digest found", err, c.want)
			}
			for _, name := range []string{"fake.pth", "fake.pth.part", "fake.pth.part.info"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					t.Errorf("%s was left", name)
				}
			}
			if len(s.seen) != 1 {
				t.Errorf("%d requests, want 1: the same bytes would come again", len(s.seen))
			}
		})
	}
}

func TestUnpinned(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	e.SHA256 = ""
	dir := t.TempDir()
	res, err := Download(context.Background(), e, dir, o)
	if err != nil || res.Pinned || !strings.HasPrefix(res.Verified, "hash not pinned: neither") {
		t.Errorf("first: %+v, %v", res, err)
	}
	wantFile(t, dir, res, s.data)
	if res, err = Download(context.Background(), e, dir, o); err != nil || !strings.Contains(res.Verified, "record of an earlier download") {
		t.Errorf("second: %+v, %v", res, err)
	}
	s.stated = digestOf(s.data)
	res, err = Download(context.Background(), e, t.TempDir(), o)
	if err != nil || !strings.HasPrefix(res.Verified, "hash not pinned") || !strings.Contains(res.Verified, "the server") {
		t.Errorf("stated by the server: %+v, %v", res, err)
	}
}

// Hugging Face states the digest in the redirect, not in the final answer.
func TestDigestOfRedirect(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{1000}}
	e, o, _ := serve(t, s)
	stated := digestOf(s.data)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Linked-Etag", `"`+stated+`"`)
		w.Header().Set("ETag", `"of the redirect"`)
		http.Redirect(w, r, e.URL+"?signature=1", http.StatusFound)
	}))
	defer hub.Close()
	e.SHA256 = ""
	o.URL = hub.URL + "/resolve/main/model.safetensors"
	res, err := Download(context.Background(), e, t.TempDir(), o)
	if err != nil || res.Pinned || !strings.Contains(res.Verified, "the server") {
		t.Errorf("%+v, %v", res, err)
	}
	if got := ranges(s); got != "- bytes=1000-" {
		t.Errorf("requests %q", got)
	}
	stated = digestOf([]byte("other"))
	if _, err := Download(context.Background(), e, t.TempDir(), o); err == nil {
		t.Error("a file that differs from the redirect's digest was accepted")
	}
}

func TestParseContentRange(t *testing.T) {
	for text, ok := range map[string]bool{
		"bytes 5-9/10": true, "bytes 5-9/11": false, "bytes */10": false, "bytes 9-5/10": false, "bytes -1-9/10": false,
		"": false, "bytes 5-9/*": false, "5": false,
	} {
		first, total, got := parseContentRange(text)
		if got != ok || ok && (first != 5 || total != 10) {
			t.Errorf("%q: %d, %d, %v", text, first, total, got)
		}
	}
}
