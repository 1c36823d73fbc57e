package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResumeAfterCancel(t *testing.T) {
	s := &fileServer{etag: `"a"`, cuts: []int{300_000}}
	e, o, _ := serve(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(done, _ int64) {
		if done >= 300_000 {
			cancel()
		}
	}
	s.hook = func(int) { <-ctx.Done() }
	dir := t.TempDir()
	_, err := Download(ctx, e, dir, o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "300000 bytes are kept") {
		t.Fatalf("error %v, want a cancellation that tells what is kept", err)
	}
	if stat, err := os.Stat(filepath.Join(dir, "fake.pth.part")); err != nil || stat.Size() != 300_000 {
		t.Fatalf("the part file: %v, %v", stat, err)
	}
	o.Progress = nil
	res, err := Download(context.Background(), e, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
	if got := ranges(s); got != "- bytes=300000-" {
		t.Errorf("requests %q", got)
	}
}

// A file that changed on the server between two calls starts over, whether the
// server honours If-Range or not.
func TestChangedETag(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		s := &fileServer{etag: `"a"`, cuts: []int{5000}}
		e, o, _ := serve(t, s)
		o.Attempts = 1
		dir := t.TempDir()
		if _, err := Download(context.Background(), e, dir, o); err == nil {
			t.Fatal("a cut connection with one attempt succeeded")
		}
		s.data, s.etag, s.ignore = randomBytes(700_000, 9), `"b"`, ignore
		e.SHA256 = digestOf(s.data)
		o.Attempts = 2
		res, err := Download(context.Background(), e, dir, o)
		if err != nil {
			t.Fatalf("ignore=%v: %v", ignore, err)
		}
		wantFile(t, dir, res, s.data)
	}
}

// A complete .part file, as a crash before the rename leaves it, needs no
// bytes.
func TestCompletePart(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	dir := t.TempDir()
	part := filepath.Join(dir, "fake.pth.part")
	info := fmt.Sprintf(`{"url":%q,"validator":"\"a\"","total":%d}`, e.URL, len(s.data))
	if err := errors.Join(os.WriteFile(part, s.data, 0o644), os.WriteFile(part+".info", []byte(info), 0o644)); err != nil {
		t.Fatal(err)
	}
	res, err := Download(context.Background(), e, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
	if got := ranges(s); got != "bytes=700000-" {
		t.Errorf("requests %q", got)
	}
}

func TestPartOfAnotherAddress(t *testing.T) {
	s := &fileServer{etag: `"a"`}
	e, o, _ := serve(t, s)
	dir := t.TempDir()
	part := filepath.Join(dir, "fake.pth.part")
	if err := errors.Join(os.WriteFile(part, []byte("other bytes"), 0o644),
		os.WriteFile(part+".info", []byte(`{"url":"https://example.org/x","validator":"\"a\""}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	res, err := Download(context.Background(), e, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, dir, res, s.data)
}
