package download

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"graft/internal/atomicfile"
	"graft/internal/schema"
)

// partInfo describes a .part file: what the server said of the file when the
// download began.
type partInfo struct {
	URL       string `json:"url"`              // without user and password
	Validator string `json:"validator"`        // a strong ETag or a date; "" when the server sent neither
	Total     int64  `json:"total,omitempty"`  // bytes, 0 when unknown
	SHA256    string `json:"sha256,omitempty"` // what the server states
}

// fetch fills the .part file. It gives up on errors that stay, after the
// attempts are used up, and when ctx ends.
func (p *Part) fetch(ctx context.Context) error {
	pause := p.Backoff
	for try := 1; ; try++ {
		before := p.size()
		err := p.attempt(ctx)
		var retry *retryError
		passing := errors.As(err, &retry)
		switch {
		case ctx.Err() != nil && (passing || errors.Is(err, ctx.Err())):
			return p.interrupted(ctx)
		case !passing: // nil too
			return err
		case try >= p.Attempts:
			return fmt.Errorf("%w (after %d tries; start it again to go on from byte %d)", err, try, p.size())
		}
		if p.size() > before {
			pause = p.Backoff // it goes on
		}
		wait := max(pause, min(retry.after, maxBackoff))
		p.logf("%v; trying again in %v", err, wait)
		select {
		case <-ctx.Done():
			return p.interrupted(ctx)
		case <-time.After(wait):
		}
		pause = min(2*pause, maxBackoff)
	}
}

func (p *Part) interrupted(ctx context.Context) error {
	return fmt.Errorf("%w; %d bytes are kept in %s", ctx.Err(), p.size(), p.partPath())
}

// retryError is a failure that may pass.
type retryError struct {
	err   error
	after time.Duration // as the server asked
}

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

// attempt makes one request and writes what comes.
func (p *Part) attempt(ctx context.Context) error {
	f, err := os.OpenFile(p.partPath(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = p.attemptInto(ctx, f)
	lost := errors.Join(writeError(f.Sync()), f.Close())
	if lost != nil && errors.As(err, new(*retryError)) {
		return lost // trying again does not mend that
	}
	return errors.Join(err, lost)
}

func (p *Part) attemptInto(ctx context.Context, f *os.File) error {
	info, offset, err := p.resumePoint(f)
	if err != nil {
		return err
	}
	// A timer ends the request when nothing has come for a while.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(p.Stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	resp, stated, err := p.request(ctx, info, offset)
	if err != nil {
		return p.transportError(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := p.read(resp, info, offset, stated)
	if err != nil {
		if errors.Is(err, errChanged) {
			err = errors.Join(err, f.Truncate(0)) // what is there does not fit
		}
		return err
	}
	if answer.complete {
		return nil
	}
	if err := p.begin(f, answer); err != nil {
		return err
	}
	return p.copyBody(ctx, f, resp.Body, answer, stalled)
}

var errStalled = errors.New("the connection went silent")

// resumePoint tells where to go on. What cannot be continued safely, for want
// of a way to tell whether the file is still the same, is emptied.
func (p *Part) resumePoint(f *os.File) (partInfo, int64, error) {
	stat, err := f.Stat()
	if err != nil || stat.Size() == 0 {
		return partInfo{}, 0, err
	}
	info, err := p.readInfo()
	if err == nil && info.URL == Redact(p.url) && info.Validator != "" {
		return info, stat.Size(), nil
	}
	p.logf("%s cannot be continued: starting over", p.partPath())
	return partInfo{}, 0, f.Truncate(0)
}

func (p *Part) readInfo() (partInfo, error) {
	var info partInfo
	data, err := os.ReadFile(p.infoPath())
	if err == nil {
		if err = json.Unmarshal(data, &info); err != nil {
			err = fmt.Errorf("%s: %w", p.infoPath(), err)
		}
	}
	return info, err
}

// answer is what a response means for the .part file.
type answer struct {
	info     partInfo
	offset   int64 // where the body goes
	complete bool  // nothing is missing
}

var (
	// errChanged is a .part file that no longer fits what the server has.
	errChanged = errors.New("the file on the server has changed")
	// errTooLarge is a file beyond the limit.
	errTooLarge = errors.New("the file is too large")
)

// begin puts the file in the state that the answer continues and notes what the
// server said, in this order: a kill between the two must not leave the bytes of
// one file with the validator of another.
func (p *Part) begin(f *os.File, a answer) error {
	data, err := schema.Marshal("graft-download-1", a.info, "")
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(a.offset), f.Sync()); err != nil {
		return writeError(err)
	}
	if err := atomicfile.WriteFile(p.infoPath(), data); err != nil {
		return writeError(err)
	}
	_, err = f.Seek(a.offset, io.SeekStart)
	return err
}

// copyBody appends the body; progress counts the whole file.
func (p *Part) copyBody(ctx context.Context, f *os.File, body io.Reader, a answer, stalled *time.Timer) error {
	buf := make([]byte, copyBuffer)
	done := a.offset
	p.Progress(done, a.info.Total)
	for {
		n, err := body.Read(buf)
		stalled.Reset(p.Stall)
		if done+int64(n) > p.MaxBytes {
			return fmt.Errorf("%w: more than the limit of %d bytes", errTooLarge, p.MaxBytes)
		}
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return writeError(err)
			}
			done += int64(n)
			p.Progress(done, a.info.Total)
		}
		switch {
		case err == io.EOF && a.info.Total > 0 && done != a.info.Total:
			return &retryError{err: fmt.Errorf("got %d of %d bytes", done, a.info.Total)}
		case err == io.EOF:
			return nil
		case err != nil:
			return p.transportError(ctx, fmt.Errorf("after %d bytes: %w", done, err))
		}
	}
}

func writeError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: make room and start it again, what is there is kept", err)
	}
	return err
}
