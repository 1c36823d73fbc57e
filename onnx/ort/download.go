package ort

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// attempts is how often a download is begun or resumed.
	attempts = 4
	// idleTimeout ends an attempt that receives nothing for so long.
	idleTimeout = 60 * time.Second
	// maxArchiveBytes bounds a download: the largest archive has 250 MB.
	maxArchiveBytes = 1 << 30
)

// errFinal marks answers that another attempt will not change.
var errFinal = errors.New("download refused")

// download fetches address to path, resuming where the connection was cut, and
// compares the SHA-256 of the whole file. On error there is no file.
func (i *installer) download(ctx context.Context, address, path, sha256 string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	client := &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}}
	defer client.CloseIdleConnections()
	for n := 1; ; n++ {
		err := i.attempt(ctx, client, address, f)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if n == attempts || errors.Is(err, errFinal) || unreachable(err) {
			return fmt.Errorf("download %s: %w", address, err)
		}
		i.log("download interrupted (%v), going on", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(i.retryPause):
		}
	}
	got, err := hashFile(path)
	if err == nil && got != sha256 {
		err = fmt.Errorf("download %s: SHA-256 %s, want %s: not the file that graft was tested with", address, got, sha256)
	}
	return err
}

// unreachable reports errors of finding the host, where trying again only keeps
// the user waiting.
func unreachable(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// attempt appends to f what is missing of it, from the start where the server
// cannot resume.
func (i *installer) attempt(ctx context.Context, client *http.Client, address string, f *os.File) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := client.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err // the caller names the address
		}
		return err
	}
	defer resp.Body.Close()
	if have, err = startAt(resp, f, have); err != nil {
		return err
	}
	total := int64(-1)
	if resp.ContentLength >= 0 {
		total = have + resp.ContentLength
	}
	if total > maxArchiveBytes {
		return fmt.Errorf("%w: %d bytes announced, want at most %d", errFinal, total, int64(maxArchiveBytes))
	}
	idle := time.AfterFunc(idleTimeout, func() { cancel(fmt.Errorf("nothing received for %v", idleTimeout)) })
	defer idle.Stop()
	w := &progressWriter{w: f, done: have, report: func(done int64) {
		idle.Reset(idleTimeout)
		i.progress(done, max(total, done))
	}}
	n, err := io.Copy(w, io.LimitReader(resp.Body, maxArchiveBytes-have+1))
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case have+n > maxArchiveBytes:
		return fmt.Errorf("%w: more than %d bytes", errFinal, int64(maxArchiveBytes))
	}
	return nil
}

// startAt positions f where the answer's body goes.
func startAt(resp *http.Response, f *os.File, have int64) (int64, error) {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
			return 0, fmt.Errorf("%w: asked for bytes from %d, got %q", errFinal, have, resp.Header.Get("Content-Range"))
		}
		return have, nil
	case http.StatusOK, http.StatusRequestedRangeNotSatisfiable:
		if err := f.Truncate(0); err != nil {
			return 0, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		if resp.StatusCode != http.StatusOK {
			return 0, errors.New("the server has another file now: starting over")
		}
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, errors.New(resp.Status)
	}
	return 0, fmt.Errorf("%w: %s", errFinal, resp.Status)
}

type progressWriter struct {
	w      io.Writer
	done   int64
	report func(done int64)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	p.report(p.done)
	return n, err
}
