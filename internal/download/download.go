// Package download fetches large files over HTTP, and goes on where an earlier
// try was cut.
//
// What has come lies in a file ending in .part beside the target; a second one
// ending in .part.info holds what the server said of it. The next try asks for
// the rest with Range and If-Range, so a file that changed on the server starts
// over, as does one whose server sends no parts. Cut and silent connections and
// passing errors of the server are tried again, with growing pauses. One process
// at a time owns a .part file.
//
// Whether the file is the right one is the caller's question: SHA256 is what
// has come, Stated what the server says it should be; then Commit gives it its
// name or Discard removes it.
package download

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"graft/internal/atomicfile"
	"graft/internal/filehash"
	"graft/internal/filelock"
)

// Defaults and limits.
const (
	defaultAttempts = 6
	defaultBackoff  = time.Second
	defaultStall    = time.Minute
	defaultMaxBytes = 16 << 30
	maxBackoff      = time.Minute
	maxRedirects    = 10
	copyBuffer      = 256 << 10
	dialTimeout     = 10 * time.Second
	headerTimeout   = 30 * time.Second
)

// Options changes how a download works; the zero value is the normal way.
type Options struct {
	Client   *http.Client  // nil: one that honours HTTPS_PROXY and its siblings
	Attempts int           // tries in all; 0: 6
	Backoff  time.Duration // pause after a failure, doubled each time up to a minute; 0: one second
	Stall    time.Duration // a connection silent for so long counts as cut; 0: a minute
	MaxBytes int64         // of the file; a larger one is refused; 0: 16 GiB
	// FailUnreachable ends the download at once where the host cannot be reached:
	// for callers with another way to the file.
	FailUnreachable bool
	// WayOut is what else the user can do, for errors that trying again does not
	// mend, such as "name a mirror (--url)"; may be "".
	WayOut   string
	Progress func(done, total int64) // bytes of the whole file; total is 0 while unknown; may be nil
	Log      func(line string)       // retries and restarts, for people; may be nil
}

// Part is a download that is not there yet, owned by this process until Close.
type Part struct {
	Options
	path string // of the finished file
	url  string
	lock *filelock.Lock
	own  bool // the client is ours
}

// CheckAddress wants an absolute http or https address.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("the address %q is none; want https://…", Redact(address))
	}
	return nil
}

// addresses are those in a text.
var addresses = regexp.MustCompile(`[A-Za-z0-9+.-]*://[^\s"']*`)

// secrets are the user and password of an address, whose characters need not be escaped as they should.
var secrets = regexp.MustCompile(`://([^\s"'/]+|[^\s"'/:]*:[^\s"']*)@`)

// Redact takes users and passwords out of the addresses in a text, which may be a message or a log.
func Redact(text string) string {
	return addresses.ReplaceAllStringFunc(text, func(address string) string {
		if u, err := url.Parse(address); err == nil && u.User == nil && strings.Contains(u.Path, "@") && !strings.Contains(u.Path, "://") {
			return address // an @ of the path, as in host:8080/model@v2
		}
		return secrets.ReplaceAllString(address, "://***@")
	})
}

// Open begins the download of the file at path, or takes up an unfinished one.
// The folder of path must exist. Where another process is at it the error wraps
// filelock.ErrLocked.
func Open(path string, o Options) (*Part, error) {
	p := &Part{Options: o, path: path}
	for _, path := range []string{p.partPath(), p.infoPath()} {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file, and is not written to; remove it", path)
		}
	}
	lock, err := filelock.Acquire(p.lockPath())
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("another process is downloading %s (%w); wait until it has ended", path, filelock.ErrLocked)
	}
	if err != nil {
		return nil, err
	}
	p.lock = lock
	p.Attempts, p.Backoff = cmp.Or(p.Attempts, defaultAttempts), cmp.Or(p.Backoff, defaultBackoff)
	p.Stall, p.MaxBytes = cmp.Or(p.Stall, defaultStall), cmp.Or(p.MaxBytes, defaultMaxBytes)
	if p.Client == nil {
		p.Client, p.own = newClient(), true
	}
	if p.Progress == nil {
		p.Progress = func(int64, int64) {}
	}
	return p, nil
}

// newClient takes the proxy from the environment.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.ResponseHeaderTimeout = headerTimeout
	return &http.Client{Transport: t}
}

// Fetch completes the .part file from address. On errors, also when ctx ends,
// what has come is kept for the next Fetch, of this Part or another.
func (p *Part) Fetch(ctx context.Context, address string) error {
	if err := CheckAddress(address); err != nil {
		return err
	}
	p.url = address
	err := p.fetch(ctx)
	if errors.Is(err, errTooLarge) {
		return errors.Join(err, p.Discard())
	}
	return err
}

// Stated returns the SHA-256 that the server states for the file, in 64
// lower-case hex digits, or "" where it states none.
func (p *Part) Stated() (string, error) {
	info, err := p.readInfo()
	return info.SHA256, err
}

// SHA256 returns the digest of what has come.
func (p *Part) SHA256(ctx context.Context) (string, error) { return filehash.File(ctx, p.partPath()) }

// Path is where what has come lies.
func (p *Part) Path() string { return p.partPath() }

// Commit gives the file its name.
func (p *Part) Commit() error {
	if err := os.Rename(p.partPath(), p.path); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(p.infoPath()), atomicfile.SyncDir(filepath.Dir(p.path)))
}

// Discard removes what has come.
func (p *Part) Discard() error {
	return errors.Join(os.RemoveAll(p.partPath()), os.RemoveAll(p.infoPath()))
}

// Close lets go of the .part file, which stays unless it is empty. It does not
// undo Commit.
func (p *Part) Close() error {
	var err error
	if p.size() == 0 {
		err = p.Discard()
	}
	if p.own {
		p.Client.CloseIdleConnections()
	}
	return errors.Join(err, p.lock.Release())
}

func (p *Part) logf(format string, args ...any) {
	if p.Log != nil {
		p.Log(fmt.Sprintf(format, args...))
	}
}

func (p *Part) partPath() string { return p.path + ".part" }
func (p *Part) infoPath() string { return p.path + ".part.info" }
func (p *Part) lockPath() string { return p.path + ".part.lock" }

// size is how many bytes have come.
func (p *Part) size() int64 {
	stat, err := os.Stat(p.partPath())
	if err != nil {
		return 0
	}
	return stat.Size()
}
