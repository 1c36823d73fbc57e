package models

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStatusErrors(t *testing.T) {
	for code, want := range map[int]string{404: "--url", 410: "--url", 403: "login", 401: "login", 407: "HTTPS_PROXY", 418: "418"} {
		s := &fileServer{status: []int{code, code}}
		e, o, _ := serve(t, s)
		_, err := Download(context.Background(), e, t.TempDir(), o)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), e.URL) {
			t.Errorf("status %d: error %v, want one with %q and the address", code, err, want)
		}
		if len(s.seen) != 1 {
			t.Errorf("status %d: %d requests, want 1", code, len(s.seen))
		}
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{10, 10, 10, 10, 10}}
	e, o, _ := serve(t, s)
	o.Attempts = 3
	dir := t.TempDir()
	_, err := Download(context.Background(), e, dir, o)
	if err == nil || !strings.Contains(err.Error(), "after 3 tries") || !strings.Contains(err.Error(), "from byte 30") {
		t.Errorf("error %v", err)
	}
	if len(s.seen) != 3 {
		t.Errorf("%d requests, want 3", len(s.seen))
	}
}

// A connection that goes silent counts as cut.
func TestStall(t *testing.T) {
	release := make(chan struct{})
	s := &fileServer{etag: `"a"`, cuts: []int{1000}, hook: func(int) { <-release }}
	e, o, log := serve(t, s)
	o.Stall = 200 * time.Millisecond
	go func() {
		// The handler holds the server's lock until it is released.
		time.Sleep(500 * time.Millisecond)
		close(release)
	}()
	dir := t.TempDir()
	res, err := Download(context.Background(), e, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
	if !strings.Contains(strings.Join(*log, "\n"), "went silent") {
		t.Errorf("log %q", *log)
	}
}

func TestRedirectRules(t *testing.T) {
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer loop.Close()
	e := Entry{Name: "fake", URL: loop.URL, File: "fake.pth"}
	if _, err := Download(context.Background(), e, t.TempDir(), DownloadOptions{Backoff: time.Hour}); err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("a loop gives %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	e.URL = secure.URL
	o := DownloadOptions{Backoff: time.Hour, Client: secure.Client()}
	if _, err := Download(context.Background(), e, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("a downgrade gives %v", err)
	}
	o.Client = nil // does not know the certificate
	if _, err := Download(context.Background(), e, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate gives %v", err)
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

func TestDiskFull(t *testing.T) {
	err := writeError(&os.PathError{Op: "write", Path: "f.part", Err: syscall.ENOSPC})
	if err == nil || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), "f.part") {
		t.Errorf("error %v", err)
	}
}

func TestUnknownHost(t *testing.T) {
	dns := &net.DNSError{Err: "no such host", Name: "example.org", IsNotFound: true}
	o := DownloadOptions{Backoff: time.Hour, Client: &http.Client{Transport: failing{dns}}}
	_, err := Download(context.Background(), Entry{Name: "fake", URL: "https://example.org/a", File: "a"}, t.TempDir(), o)
	if err == nil || !strings.Contains(err.Error(), "HTTPS_PROXY") || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("error %v, want one at once that names the ways out", err)
	}
}

// failing is a network that is not there.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

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
