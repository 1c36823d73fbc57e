package download

import (
	"context"
	"errors"
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
	for code, want := range map[int]string{404: "; the way out", 410: "moved; the way out", 403: "login", 401: "login", 407: "HTTPS_PROXY", 418: "418"} {
		s := &fileServer{status: []int{code, code}}
		address, o, _ := serve(t, s)
		o.WayOut = "the way out"
		path := filepath.Join(t.TempDir(), "fake.pth")
		_, _, err := pull(context.Background(), address, path, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("status %d: error %v, want one with %q", code, err, want)
		}
		if len(s.seen) != 1 {
			t.Errorf("status %d: %d requests, want 1", code, len(s.seen))
		}
		wantFolder(t, path)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{10, 10, 10, 10, 10}}
	address, o, _ := serve(t, s)
	o.Attempts = 3
	_, _, err := pull(context.Background(), address, filepath.Join(t.TempDir(), "fake.pth"), o)
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
	address, o, log := serve(t, s)
	o.Stall = 200 * time.Millisecond
	go func() {
		// The handler holds the server's lock until it is released.
		time.Sleep(500 * time.Millisecond)
		close(release)
	}()
	wantFile(t, address, filepath.Join(t.TempDir(), "fake.pth"), o, s.data)
	if !strings.Contains(strings.Join(*log, "\n"), "went silent") {
		t.Errorf("log %q", *log)
	}
}

func TestSizeLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		s    *fileServer
		want string
	}{
		{"announced", &fileServer{}, "700000 bytes announced, want at most 650000"},
		{"not announced", &fileServer{noSize: true}, "more than the limit of 650000"},
	} {
		address, o, _ := serve(t, c.s)
		o.MaxBytes = 650_000
		path := filepath.Join(t.TempDir(), "fake.pth")
		if _, _, err := pull(context.Background(), address, path, o); !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		wantFolder(t, path)
		o.MaxBytes = 700_000
		wantFile(t, address, path, o, c.s.data)
	}
}

func TestRedirectRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fake.pth")
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer loop.Close()
	o := Options{Backoff: time.Hour}
	if _, _, err := pull(context.Background(), loop.URL, path, o); err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("a loop gives %v", err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	o.Client = secure.Client()
	if _, _, err := pull(context.Background(), secure.URL, path, o); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("a downgrade gives %v", err)
	}
	o.Client = nil // does not know the certificate
	if _, _, err := pull(context.Background(), secure.URL, path, o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate gives %v", err)
	}
}

func TestBadAddresses(t *testing.T) {
	for _, address := range []string{"", "a", "file:///etc/passwd", "https:///a", "ftp://example.org/a", "https://exa mple.org"} {
		if _, _, err := pull(context.Background(), address, filepath.Join(t.TempDir(), "f"), Options{}); err == nil || !strings.Contains(err.Error(), "is none") {
			t.Errorf("%q: error %v", address, err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	err := writeError(&os.PathError{Op: "write", Path: "f.part", Err: syscall.ENOSPC})
	if err == nil || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), "f.part") {
		t.Errorf("error %v", err)
	}
}

// Ctrl-C hides neither a fault of the disk nor one of the server that stays.
func TestRealErrorsWhileItEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(path+".part", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := pull(ctx, "https://example.org/a", path, Options{}); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder in the way: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "700000")
		_ = http.NewResponseController(w).Flush()
	}))
	defer server.Close()
	o := Options{MaxBytes: 650_000, Client: &http.Client{Transport: ending{cancel}}}
	if _, _, err := pull(ctx, server.URL, filepath.Join(t.TempDir(), "f"), o); !errors.Is(err, errTooLarge) {
		t.Errorf("too large a file: %v", err)
	}
}

// ending answers, and the user presses Ctrl-C.
type ending struct{ cancel func() }

func (e ending) RoundTrip(r *http.Request) (*http.Response, error) {
	defer e.cancel()
	return http.DefaultTransport.RoundTrip(r)
}

func TestUnreachable(t *testing.T) {
	unknown := &net.DNSError{Err: "no such host", Name: "example.org", IsNotFound: true}
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name  string
		err   error
		fail  bool
		tries int
		want  string
	}{
		{"unknown host", unknown, false, 1, "set HTTPS_PROXY, the way out"},
		{"refused", refused, false, 3, "after 3 tries"},
		{"refused, another way", refused, true, 1, "refused"},
		{"proxy refused, another way", &net.OpError{Op: "proxyconnect", Err: refused}, true, 1, "refused"},
		{"cut, another way", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, 3, "after 3 tries"},
	} {
		network := &failing{err: c.err}
		o := Options{Backoff: time.Millisecond, Attempts: 3, Client: &http.Client{Transport: network}, WayOut: "the way out", FailUnreachable: c.fail}
		_, _, err := pull(context.Background(), "https://example.org/a", filepath.Join(t.TempDir(), "f"), o)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) || network.tries != c.tries {
			t.Errorf("%s: %v after %d tries, want %q after %d", c.name, err, network.tries, c.want, c.tries)
		}
	}
}

// failing is a network that is not there.
type failing struct {
	err   error
	tries int
}

func (f *failing) RoundTrip(*http.Request) (*http.Response, error) {
	f.tries++
	return nil, f.err
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

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"get https://user:secret@host/x: refused":    "get https://***@host/x: refused",
		"get https://token@host/x":                   "get https://***@host/x",
		`"https://user:se@cret@host/x" and http://h`: `"https://***@host/x" and http://h`,
		"https://user:se/cret@host/x":                "https://***@host/x",
		"https://host:8080/x":                        "https://host:8080/x",
		"https://host:8080/x@v2.pth":                 "https://host:8080/x@v2.pth",
		"https://me:se@host:8080/x@v2.pth":           "https://***@host:8080/x@v2.pth",
		"https://host/x,https://me:se@host/x":        "https://host/x,https://***@host/x",
		"://me:se@host/x":                            "://***@host/x",
		"me@example.org":                             "me@example.org",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A link in the place of the unfinished file would lead what comes to another.
func TestPartIsNoLink(t *testing.T) {
	dir := t.TempDir()
	mine, path := filepath.Join(dir, "mine"), filepath.Join(dir, "x")
	for _, link := range []string{path + ".part", path + ".part.info"} {
		if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(mine, link); err != nil {
			t.Skip(err)
		}
		if p, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v, %v", link, p, err)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := Open(path, Options{}); err != nil {
		t.Errorf("the lock was kept: %v", err)
	} else if err := p.Close(); err != nil {
		t.Error(err)
	}
}
