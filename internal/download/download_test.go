package download

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/internal/filelock"
)

func TestFetch(t *testing.T) {
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
			address, o, _ := serve(t, s)
			var last, total int64
			o.Progress = func(d, n int64) { last, total = d, n }
			wantFile(t, address, filepath.Join(t.TempDir(), "fake.pth"), o, s.data)
			if n := int64(len(s.data)); last != n || total != n {
				t.Errorf("progress ended at %d of %d, want %d", last, total, n)
			}
			if got := ranges(s); got != c.ranges {
				t.Errorf("requests %q, want %q", got, c.ranges)
			}
		})
	}
}

// A second download of the same file is refused while the first one lasts, and
// does not touch what the first one has.
func TestOneOwner(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	address, o, _ := serve(t, s)
	path := filepath.Join(t.TempDir(), "fake.pth")
	first, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Fetch(context.Background(), address); err != nil {
		t.Fatal(err)
	}
	_, _, err = pull(context.Background(), address, path, o)
	if !errors.Is(err, filelock.ErrLocked) || !strings.Contains(err.Error(), "another process is downloading "+path) {
		t.Errorf("the second download: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantFolder(t, path, "fake.pth.part", "fake.pth.part.info")
	wantFile(t, address, path, o, s.data)
	if got := ranges(s); got != "- bytes=700000-" {
		t.Errorf("requests %q", got)
	}
}

func TestResumeAfterCancel(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{300_000}}
	address, o, _ := serve(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(done, _ int64) {
		if done >= 300_000 {
			cancel()
		}
	}
	s.hook = func(int) { <-ctx.Done() }
	path := filepath.Join(t.TempDir(), "fake.pth")
	_, _, err := pull(ctx, address, path, o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "300000 bytes are kept") {
		t.Fatalf("error %v, want a cancellation that tells what is kept", err)
	}
	if stat, err := os.Stat(path + ".part"); err != nil || stat.Size() != 300_000 {
		t.Fatalf("the part file: %v, %v", stat, err)
	}
	wantFolder(t, path, "fake.pth.part", "fake.pth.part.info")
	o.Progress = nil
	wantFile(t, address, path, o, s.data)
	if got := ranges(s); got != "- bytes=300000-" {
		t.Errorf("requests %q", got)
	}
}

// A file that changed on the server between two calls starts over, whether the
// server honours If-Range or not.
func TestChangedETag(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		s := &fileServer{etag: `"a"`, cuts: []int{5000}}
		address, o, _ := serve(t, s)
		o.Attempts = 1
		path := filepath.Join(t.TempDir(), "fake.pth")
		if _, _, err := pull(context.Background(), address, path, o); err == nil {
			t.Fatal("a cut connection with one attempt succeeded")
		}
		s.data, s.etag, s.ignore = randomBytes(700_000, 9), `"b"`, ignore
		o.Attempts = 2
		wantFile(t, address, path, o, s.data)
	}
}

// A complete .part file, as a crash before the rename leaves it, needs no
// bytes; one of another address is of no use.
func TestPartThatIsThere(t *testing.T) {
	for _, c := range []struct{ name, info, ranges string }{
		{"complete", `{"url":%q,"validator":"\"a\"","total":700000}`, "bytes=700000-"},
		{"of another address", `{"url":"not %s","validator":"\"a\""}`, "-"},
		{"without a validator", `{"url":%q}`, "-"},
		{"not JSON", `%s`, "-"},
	} {
		s := &fileServer{etag: `"a"`}
		address, o, _ := serve(t, s)
		path := filepath.Join(t.TempDir(), "fake.pth")
		part := s.data
		if c.ranges == "-" {
			part = []byte("other bytes")
		}
		if err := errors.Join(os.WriteFile(path+".part", part, 0o644),
			os.WriteFile(path+".part.info", fmt.Appendf(nil, c.info, address), 0o644)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, address, path, o, s.data)
		if got := ranges(s); got != c.ranges {
			t.Errorf("%s: requests %q, want %q", c.name, got, c.ranges)
		}
	}
}

func TestDiscard(t *testing.T) {
	address, o, _ := serve(t, &fileServer{etag: `"a"`})
	path := filepath.Join(t.TempDir(), "fake.pth")
	p, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Fetch(context.Background(), address), p.Discard(), p.Close()); err != nil {
		t.Error(err)
	}
	wantFolder(t, path)
}

// Hugging Face states the digest in the redirect, not in the final answer.
func TestStated(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{1000}}
	address, o, _ := serve(t, s)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Linked-Etag", `"`+strings.ToUpper(digestOf(s.data))+`"`)
		w.Header().Set("ETag", `"of the redirect"`)
		http.Redirect(w, r, address+"?signature=1", http.StatusFound)
	}))
	defer hub.Close()
	path := filepath.Join(t.TempDir(), "fake.pth")
	_, stated, err := pull(context.Background(), hub.URL+"/resolve/main/model.safetensors", path, o)
	if err != nil || stated != digestOf(s.data) {
		t.Errorf("stated %q, %v", stated, err)
	}
	if got := ranges(s); got != "- bytes=1000-" {
		t.Errorf("requests %q", got)
	}
	s.stated = "no digest"
	if _, stated, err := pull(context.Background(), address, path, o); err != nil || stated != "" {
		t.Errorf("of a server without: %q, %v", stated, err)
	}
}
