package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"graft/internal/download"
)

// DownloadOptions changes how Download works; its zero value is the normal
// way.
type DownloadOptions struct {
	URL      string                  // replaces the entry's address: a mirror
	Client   *http.Client            // nil: one that honours HTTPS_PROXY and its siblings
	Attempts int                     // tries in all; 0: 6
	Backoff  time.Duration           // pause after a failure, doubled each time up to a minute; 0: one second
	Stall    time.Duration           // a connection silent for so long counts as cut; 0: a minute
	Progress func(done, total int64) // bytes; total is 0 while unknown; may be nil
	Log      func(line string)       // retries and restarts, for people; may be nil
}

// Result is a verified file.
type Result struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the file, 64 hex digits
	// Pinned tells whether the zoo's own hash, all of it, was compared. Verified says in
	// words what was.
	Pinned   bool   `json:"pinned"`
	Verified string `json:"verified"`
	Fetched  bool   `json:"fetched"` // false: the file was there already
}

// Download fetches an entry's file into dir, under the entry's own file name,
// and verifies it. A file that is there already and verifies is left alone; one that
// is part of the program is written from there.
//
// An unfinished download is kept in a file ending in .part, also when ctx ends,
// and the next call goes on where it stopped if the server still has the same
// file (by its ETag or date); a server that cannot send parts starts over. Cut
// connections and passing errors of the server are tried again, with growing
// pauses. While another process downloads the same file, Download is an error.
//
// The file's SHA-256 is compared with every digest there is: the zoo's, the one
// that the server states (Hugging Face sends X-Linked-Etag), and the one that
// an earlier download recorded in a file ending in .sha256. Where they differ
// the download is deleted and the error tells both.
func Download(ctx context.Context, e Entry, dir string, o DownloadOptions) (Result, error) {
	p, err := newPull(e, dir, o)
	if err != nil {
		return Result{}, err
	}
	if res, ok, err := p.existing(ctx); ok || err != nil {
		return res, err
	}
	if p.url == "" {
		return p.unpack()
	}
	res, err := p.fetch(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("download %s from %s: %w", e.Name, download.Redact(p.url), err)
	}
	return res, nil
}

// pull is one entry's file on its way.
type pull struct {
	DownloadOptions
	entry Entry
	url   string
	path  string // of the finished file
}

func newPull(e Entry, dir string, o DownloadOptions) (*pull, error) {
	if e.File == "" || e.File != filepath.Base(e.File) || e.File == "." || e.File == ".." {
		return nil, fmt.Errorf("models: %s: the file name %q is none", e.Name, e.File)
	}
	p := &pull{DownloadOptions: o, entry: e, url: cmp.Or(o.URL, e.URL), path: filepath.Join(dir, e.File)}
	if p.url == "" { // part of the program
		return p, os.MkdirAll(dir, 0o755)
	}
	if err := download.CheckAddress(p.url); err != nil {
		return nil, fmt.Errorf("models: %s: %w", e.Name, err)
	}
	return p, os.MkdirAll(dir, 0o755)
}

// fetch downloads and verifies.
func (p *pull) fetch(ctx context.Context) (res Result, err error) {
	part, err := download.Open(p.path, download.Options{
		Client: p.Client, Attempts: p.Attempts, Backoff: p.Backoff, Stall: p.Stall, Progress: p.Progress, Log: p.Log,
		WayOut: p.wayOut(),
	})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	if err := part.Fetch(ctx, p.url); err != nil {
		return Result{}, err
	}
	return p.finish(ctx, part)
}

func (p *pull) logf(format string, args ...any) {
	if p.Log != nil {
		p.Log(fmt.Sprintf(format, args...))
	}
}

func (p *pull) wayOut() string {
	return fmt.Sprintf("name a mirror (--url), or put the file at %s yourself", p.path)
}

func (p *pull) sidecar() string { return p.path + ".sha256" }
