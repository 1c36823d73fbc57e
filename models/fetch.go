package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"graft/internal/atomicfile"
)

// partInfo describes an unfinished download: what the server said of the file
// when it began.
type partInfo struct {
	URL       string `json:"url"`
	Validator string `json:"validator"`        // a strong ETag or a date; "" when the server sent neither
	Total     int64  `json:"total,omitempty"`  // bytes, 0 when unknown
	SHA256    string `json:"sha256,omitempty"` // what the server states
}

// fetch fills the .part file. It gives up on errors that stay, after the
// attempts are used up, and when ctx ends.
func (d *download) fetch(ctx context.Context) error {
	pause := d.Backoff
	for try := 1; ; try++ {
		before := d.partSize()
		err := d.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w; %d bytes are kept in %s", ctx.Err(), d.partSize(), d.part())
		}
		var retry *retryError
		if !errors.As(err, &retry) {
			return err
		}
		if try >= d.Attempts {
			return fmt.Errorf("%w (after %d tries; start it again to go on from byte %d)", err, try, d.partSize())
		}
		if d.partSize() > before {
			pause = d.Backoff // it goes on
		}
		wait := max(pause, min(retry.after, maxBackoff))
		d.logf("%v; trying again in %v", err, wait)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, maxBackoff)
	}
}

func sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// retryError is a failure that may pass.
type retryError struct {
	err   error
	after time.Duration // as the server asked
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// attempt makes one request and writes what comes.
func (d *download) attempt(ctx context.Context) error {
	f, err := os.OpenFile(d.part(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = d.attemptInto(ctx, f)
	return errors.Join(err, f.Sync(), f.Close())
}

func (d *download) attemptInto(ctx context.Context, f *os.File) error {
	info, offset, err := d.resumePoint(f)
	if err != nil {
		return err
	}
	// A timer ends the request when nothing has come for a while.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(d.Stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	resp, stated, err := d.request(ctx, info, offset)
	if err != nil {
		return d.offline(transportError(ctx, err))
	}
	defer resp.Body.Close()
	answer, err := d.read(resp, info, offset, stated)
	if err != nil {
		return errors.Join(err, d.startOver(f, err))
	}
	if answer.complete {
		return nil
	}
	if err := d.begin(f, answer); err != nil {
		return err
	}
	return d.copyBody(ctx, f, resp.Body, answer, stalled)
}

var errStalled = errors.New("the connection went silent")

// resumePoint tells where to go on. What cannot be continued safely, for want
// of a way to tell whether the file is still the same, is emptied.
func (d *download) resumePoint(f *os.File) (partInfo, int64, error) {
	stat, err := f.Stat()
	if err != nil || stat.Size() == 0 {
		return partInfo{}, 0, err
	}
	info, err := d.readInfo()
	if err == nil && info.URL == d.url && info.Validator != "" {
		return info, stat.Size(), nil
	}
	d.logf("%s cannot be continued: starting over", d.part())
	return partInfo{}, 0, f.Truncate(0)
}

func (d *download) readInfo() (partInfo, error) {
	var info partInfo
	data, err := os.ReadFile(d.partInfo())
	if err == nil {
		err = json.Unmarshal(data, &info)
	}
	return info, err
}

// answer is what a response means for the .part file.
type answer struct {
	info     partInfo
	offset   int64 // where the body goes
	complete bool  // nothing is missing
}

// errChanged is a .part file that no longer fits what the server has.
var errChanged = errors.New("the file on the server has changed")

// begin puts the file in the state that the answer continues, and notes what
// the server said before the first byte is written.
func (d *download) begin(f *os.File, a answer) error {
	data, err := json.Marshal(a.info)
	if err == nil {
		err = atomicfile.WriteFile(d.partInfo(), append(data, '\n'))
	}
	if err == nil {
		err = f.Truncate(a.offset)
	}
	if err == nil {
		_, err = f.Seek(a.offset, io.SeekStart)
	}
	return writeError(err)
}

// startOver empties the .part file when cause says that it does not fit.
func (d *download) startOver(f *os.File, cause error) error {
	if !errors.Is(cause, errChanged) {
		return nil
	}
	return f.Truncate(0)
}

// copyBody appends the body; progress counts the whole file.
func (d *download) copyBody(ctx context.Context, f *os.File, body io.Reader, a answer, stalled *time.Timer) error {
	buf := make([]byte, copyBuffer)
	done := a.offset
	d.Progress(done, a.info.Total)
	for {
		n, err := body.Read(buf)
		stalled.Reset(d.Stall)
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return writeError(err)
			}
			done += int64(n)
			d.Progress(done, a.info.Total)
		}
		switch {
		case done > maxDownload:
			return fmt.Errorf("more than the limit of %d bytes", int64(maxDownload))
		case err == io.EOF && a.info.Total > 0 && done != a.info.Total:
			return &retryError{err: fmt.Errorf("got %d of %d bytes", done, a.info.Total)}
		case err == io.EOF:
			return nil
		case err != nil:
			return transportError(ctx, fmt.Errorf("after %d bytes: %w", done, err))
		}
	}
}

// transportError says whether a failed request or read is worth another try:
// all are, but for the ones that mean the same answer each time.
func transportError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return &retryError{err: errStalled}
	}
	if permanent(err) {
		return err
	}
	return &retryError{err: err}
}

// offline adds the way out where the host's name is unknown.
func (d *download) offline(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("%w; without a way to this host set HTTPS_PROXY, name a mirror (--url), or put the file at %s yourself", err, d.path)
	}
	return err
}

func writeError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: make room and start it again, what is there is kept", err)
	}
	return err
}

func (d *download) partSize() int64 {
	stat, err := os.Stat(d.part())
	if err != nil {
		return 0
	}
	return stat.Size()
}

func (d *download) discard() error {
	return errors.Join(os.Remove(d.part()), os.Remove(d.partInfo()))
}

// validator returns what If-Range can ask for: a strong ETag, else a date.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}
