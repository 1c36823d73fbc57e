package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fileServer is a server on the loopback interface that keeps count.
type fileServer struct {
	data   []byte
	etag   string
	stated string // the digest it states
	cut    int    // the first answer breaks off after so many bytes
	status int    // answers with this
	hook   func() // called before the break
	seen   []string
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.seen = append(s.seen, r.Header.Get("Range"))
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	w.Header().Set("ETag", s.etag)
	if s.stated != "" {
		w.Header().Set("X-Linked-Etag", `"`+s.stated+`"`)
	}
	if s.cut == 0 {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.data))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(s.data)))
	_, _ = w.Write(s.data[:s.cut])
	_ = http.NewResponseController(w).Flush()
	s.cut = 0
	if s.hook != nil {
		s.hook()
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
	for name, s := range map[string]*fileServer{"whole": {etag: `"a"`}, "cut": {etag: `"a"`, cut: 1000}} {
		e, o, _ := serve(t, s)
		var last, total int64
		o.Progress = func(d, n int64) { last, total = d, n }
		dir := filepath.Join(t.TempDir(), "models")
		res, err := Download(context.Background(), e, dir, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantFile(t, dir, res, s.data)
		if !res.Pinned || !res.Fetched || !strings.Contains(res.Verified, "the zoo") {
			t.Errorf("%s: result %+v", name, res)
		}
		if n := int64(len(s.data)); last != n || total != n {
			t.Errorf("%s: progress ended at %d of %d, want %d", name, last, total, n)
		}
	}
}

func TestResumeAfterCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &fileServer{etag: `"a"`, cut: 300_000, hook: func() { <-ctx.Done() }}
	e, o, _ := serve(t, s)
	o.Progress = func(done, _ int64) {
		if done >= 300_000 {
			cancel()
		}
	}
	dir := t.TempDir()
	_, err := Download(ctx, e, dir, o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "300000 bytes are kept") {
		t.Fatalf("error %v, want a cancellation that tells what is kept", err)
	}
	if state := e.State(dir); state != (State{Partial: true}) {
		t.Errorf("the folder holds %+v, want an unfinished download", state)
	}
	res, err := Download(context.Background(), e, dir, DownloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
	if !slices.Equal(s.seen, []string{"", "bytes=300000-"}) {
		t.Errorf("requests %q", s.seen)
	}
}

// Two pulls of one file at once: the second is refused, the first one ends well.
func TestConcurrentDownloads(t *testing.T) {
	s := &fileServer{etag: `"a"`, cut: 1000}
	e, o, _ := serve(t, s)
	dir := t.TempDir()
	s.hook = func() {
		if _, err := Download(context.Background(), e, dir, o); err == nil || !strings.Contains(err.Error(), "another process is downloading") {
			t.Errorf("the second download: %v", err)
		}
	}
	res, err := Download(context.Background(), e, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
}

// Errors name the address and the ways out.
func TestDownloadErrors(t *testing.T) {
	for code, want := range map[int]string{404: "--url", 403: "yourself", 407: "HTTPS_PROXY"} {
		s := &fileServer{status: code}
		e, o, _ := serve(t, s)
		_, err := Download(context.Background(), e, t.TempDir(), o)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), e.URL) {
			t.Errorf("status %d: error %v, want one with %q and the address", code, err, want)
		}
	}
}

func TestBadEntries(t *testing.T) {
	for _, e := range []Entry{
		{Name: "path", URL: "https://example.org/a", File: "../a"},
		{Name: "no file", URL: "https://example.org/a"},
		{Name: "dots", URL: "https://example.org/a", File: ".."},
		{Name: "scheme", URL: "file:///etc/passwd", File: "a"},
		{Name: "no host", URL: "https:///a", File: "a"},
	} {
		if _, err := Download(context.Background(), e, t.TempDir(), DownloadOptions{}); err == nil || !strings.Contains(err.Error(), "is none") {
			t.Errorf("%s: error %v", e.Name, err)
		}
	}
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

// Eight digits of a hash tell a wrong file, and are said not to pin the right one.
func TestFirstDigitsAreNoPin(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	e.SHA256 = e.SHA256[:8]
	for _, how := range []string{"fetched", "there already"} {
		dir := t.TempDir()
		if how == "there already" {
			if err := os.WriteFile(filepath.Join(dir, e.File), s.data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		res, err := Download(context.Background(), e, dir, o)
		if err != nil || res.Pinned || !strings.HasPrefix(res.Verified, "hash not pinned: the zoo knows only its first 8 digits") {
			t.Errorf("%s: %+v, %v", how, res, err)
		}
	}
}

// A captive portal's page is neither kept nor remembered, nor believed where an earlier version did.
func TestPageInPlaceOfTheFile(t *testing.T) {
	page := []byte("<!DOCTYPE html><title>Log in to our network</title>")
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	e.SHA256 = ""
	right, dir := s.data, t.TempDir()
	s.data = page
	if _, err := Download(context.Background(), e, dir, o); err == nil || !strings.Contains(err.Error(), "a web page") || !strings.Contains(err.Error(), "--url") {
		t.Errorf("a page: %v, want an error that says what it is, and the way out", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left", left, err)
	}
	s.data, s.etag = right, `"b"`
	for name, text := range map[string]string{e.File: string(page), e.File + ".sha256": digestOf(page) + "  " + e.File + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res, err := Download(context.Background(), e, dir, o)
	if err != nil || !res.Fetched {
		t.Fatalf("over a page that was kept: %+v, %v", res, err)
	}
	wantFile(t, dir, res, right)
}

// Hugging Face states the digest in the redirect, not in the final answer.
func TestDigestOfRedirect(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	stated := digestOf(s.data)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Linked-Etag", `"`+stated+`"`)
		http.Redirect(w, r, e.URL+"?signature=1", http.StatusFound)
	}))
	defer hub.Close()
	e.SHA256 = ""
	o.URL = hub.URL + "/resolve/main/model.safetensors"
	res, err := Download(context.Background(), e, t.TempDir(), o)
	if err != nil || res.Pinned || !strings.Contains(res.Verified, "the server") {
		t.Errorf("%+v, %v", res, err)
	}
	stated = digestOf([]byte("other"))
	if _, err := Download(context.Background(), e, t.TempDir(), o); err == nil {
		t.Error("a file that differs from the redirect's digest was accepted")
	}
}

func TestState(t *testing.T) {
	dir := t.TempDir()
	e := Entry{Name: "fake", File: "fake.pth"}
	if s := e.State(dir); s != (State{}) {
		t.Errorf("empty folder: %+v", s)
	}
	for _, name := range []string{"fake.pth.part", "fake.onnx"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s := e.State(dir); s != (State{Partial: true, ONNX: true}) {
		t.Errorf("part and ONNX: %+v", s)
	}
}
