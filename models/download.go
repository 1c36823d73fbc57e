package models

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Defaults and limits of a download.
const (
	defaultAttempts = 6
	defaultBackoff  = time.Second
	defaultStall    = time.Minute
	maxBackoff      = time.Minute
	maxDownload     = 16 << 30 // bytes of a file
	maxRedirects    = 10
	copyBuffer      = 256 << 10
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
	// Pinned tells whether the zoo's own hash was compared. Verified says in
	// words what was.
	Pinned   bool   `json:"pinned"`
	Verified string `json:"verified"`
	Fetched  bool   `json:"fetched"` // false: the file was there already
}

// Download fetches an entry's file into dir, under the entry's own file name,
// and verifies it. A file that is there already and verifies is left alone.
//
// An unfinished download is kept in a file ending in .part, also when ctx ends,
// and the next call goes on where it stopped if the server still has the same
// file (by its ETag or date); a server that cannot send parts starts over. Cut
// connections and passing errors of the server are tried again, with growing
// pauses.
//
// The file's SHA-256 is compared with every digest there is: the zoo's, the one
// that the server states (Hugging Face sends X-Linked-Etag), and the one that
// an earlier download recorded in a file ending in .sha256. Where they differ
// the download is deleted and the error tells both.
func Download(ctx context.Context, e Entry, dir string, o DownloadOptions) (Result, error) {
	d, err := newDownload(e, dir, o)
	if err != nil {
		return Result{}, err
	}
	if res, ok, err := d.existing(); ok || err != nil {
		return res, err
	}
	if err := d.fetch(ctx); err != nil {
		return Result{}, fmt.Errorf("download %s from %s: %w", e.Name, d.url, err)
	}
	return d.finish()
}

// download is one file on its way.
type download struct {
	DownloadOptions
	entry Entry
	url   string
	path  string // of the finished file
}

func newDownload(e Entry, dir string, o DownloadOptions) (*download, error) {
	if e.File == "" || e.File != filepath.Base(e.File) || e.File == "." || e.File == ".." {
		return nil, fmt.Errorf("models: %s: the file name %q is none", e.Name, e.File)
	}
	d := &download{DownloadOptions: o, entry: e, url: e.URL, path: filepath.Join(dir, e.File)}
	if o.URL != "" {
		d.url = o.URL
	}
	u, err := url.Parse(d.url)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("models: %s: the address %q is none; want https://…", e.Name, d.url)
	}
	if d.Attempts <= 0 {
		d.Attempts = defaultAttempts
	}
	if d.Backoff <= 0 {
		d.Backoff = defaultBackoff
	}
	if d.Stall <= 0 {
		d.Stall = defaultStall
	}
	if d.Client == nil {
		d.Client = &http.Client{} // its transport reads the proxy from the environment
	}
	if d.Progress == nil {
		d.Progress = func(int64, int64) {}
	}
	return d, os.MkdirAll(dir, 0o755)
}

func (d *download) logf(format string, args ...any) {
	if d.Log != nil {
		d.Log(fmt.Sprintf(format, args...))
	}
}

func (d *download) part() string     { return d.path + ".part" }
func (d *download) partInfo() string { return d.path + ".part.info" }
func (d *download) sidecar() string  { return d.path + ".sha256" }
