package download

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// linkedETag is where Hugging Face states a file's SHA-256: in the answer that
// redirects to the storage.
const linkedETag = "X-Linked-Etag"

// request asks for the file from offset on. It returns the digest that a
// redirect or the answer itself states.
func (p *Part) request(ctx context.Context, info partInfo, offset int64) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "graft")
	req.Header.Set("Accept-Encoding", "identity") // offsets count the file's own bytes
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
		req.Header.Set("If-Range", info.Validator)
	}
	stated := ""
	client := *p.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		stated = cmp.Or(statedDigest(next.Response), stated)
		return checkRedirect(next, via)
	}
	resp, err := client.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err // the caller names the address
		}
		return nil, "", err
	}
	return resp, cmp.Or(stated, statedDigest(resp)), nil
}

var errRedirect = errors.New("bad redirect")

func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return fmt.Errorf("%w: from https to %s", errRedirect, next.URL.Scheme)
	}
	return nil
}

func statedDigest(resp *http.Response) string {
	s := strings.ToLower(strings.Trim(resp.Header.Get(linkedETag), `"`))
	if len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

// read says what an answer means. An error that wraps errChanged asks for a
// fresh start.
func (p *Part) read(resp *http.Response, info partInfo, offset int64, stated string) (answer, error) {
	now := partInfo{URL: Redact(p.url), Validator: validator(resp.Header), SHA256: stated}
	switch resp.StatusCode {
	case http.StatusOK:
		if offset > 0 {
			p.logf("the server sends the whole file (it sends no parts, or the file has changed): starting over")
		}
		now.Total = max(resp.ContentLength, 0)
		return answer{info: now}, p.checkSize(now.Total)
	case http.StatusPartialContent:
		first, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if offset == 0 || !ok || first != offset || !sameFile(info, now, total) {
			return answer{}, &retryError{err: fmt.Errorf("%w: part %q for byte %d", errChanged, resp.Header.Get("Content-Range"), offset)}
		}
		info.Total = total
		return answer{info: info, offset: offset}, p.checkSize(total)
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 && offset == info.Total {
			return answer{complete: true}, nil
		}
		return answer{}, &retryError{err: fmt.Errorf("%w: it has no byte %d", errChanged, offset)}
	}
	return answer{}, p.statusError(resp)
}

// checkSize refuses what is announced beyond the limit before it comes.
func (p *Part) checkSize(total int64) error {
	if total > p.MaxBytes {
		return fmt.Errorf("%w: %d bytes announced, want at most %d", errTooLarge, total, p.MaxBytes)
	}
	return nil
}

// validator returns what If-Range can ask for: a strong ETag, else a date.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

// sameFile compares what the server says now with what it said when the
// download began.
func sameFile(then, now partInfo, total int64) bool {
	return (now.Validator == "" || now.Validator == then.Validator) &&
		(now.SHA256 == "" || now.SHA256 == then.SHA256) &&
		(then.Total == 0 || then.Total == total)
}

// parseContentRange reads "bytes 5-9/10".
func parseContentRange(s string) (first, total int64, ok bool) {
	span, size, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	from, to, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 {
		return 0, 0, false
	}
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	total, err3 := strconv.ParseInt(size, 10, 64)
	return first, total, err1 == nil && err2 == nil && err3 == nil && 0 <= first && first <= last && last == total-1
}

// statusError explains an answer that is no file, and says whether it may pass.
func (p *Part) statusError(resp *http.Response) error {
	err := fmt.Errorf("the server answers %s", resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: the file has moved%s", err, p.or("; "))
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: it wants a login or refuses this network%s", err, p.or("; "))
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("%w: set user and password in HTTPS_PROXY", err)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &retryError{err: err, after: time.Duration(min(max(seconds, 0), int(maxBackoff/time.Second))) * time.Second}
	}
	return err
}

// or is the caller's way out behind a separator, or "".
func (p *Part) or(separator string) string {
	if p.WayOut == "" {
		return ""
	}
	return separator + p.WayOut
}

// transportError says whether a failed request or read is worth another try:
// all are, but for the ones that mean the same answer each time.
func (p *Part) transportError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return &retryError{err: errStalled}
	}
	var dns *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%w; without a way to this host set HTTPS_PROXY%s", err, p.or(", "))
	case errors.Is(err, errRedirect), errors.As(err, &cert):
		return err
	case p.FailUnreachable && (errors.As(err, &dns) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")):
		return err // the host, or the proxy to it, cannot be reached
	}
	return &retryError{err: err}
}
