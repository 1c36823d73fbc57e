package models

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// linkedETag is where Hugging Face states a file's SHA-256: in the answer that
// redirects to the storage.
const linkedETag = "X-Linked-Etag"

// request asks for the file from offset on. It returns the digest that a
// redirect or the answer itself states.
func (d *download) request(ctx context.Context, info partInfo, offset int64) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
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
	client := *d.Client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if s := statedDigest(next.Response); s != "" {
			stated = s
		}
		return checkRedirect(next, via)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	if s := statedDigest(resp); s != "" && stated == "" {
		stated = s
	}
	return resp, stated, nil
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
	if resp == nil {
		return ""
	}
	s := strings.ToLower(strings.Trim(resp.Header.Get(linkedETag), `"`))
	if !isSHA256(s) {
		return ""
	}
	return s
}

// read says what an answer means. An error that wraps errChanged asks for a
// fresh start.
func (d *download) read(resp *http.Response, info partInfo, offset int64, stated string) (answer, error) {
	now := partInfo{URL: d.url, Validator: validator(resp.Header), SHA256: stated}
	switch resp.StatusCode {
	case http.StatusOK:
		if offset > 0 {
			d.logf("the server sends the whole file (it sends no parts, or the file has changed): starting over")
		}
		now.Total = max(resp.ContentLength, 0)
		return answer{info: now}, nil
	case http.StatusPartialContent:
		first, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if offset == 0 || !ok || first != offset || !sameFile(info, now, total) {
			return answer{}, &retryError{err: fmt.Errorf("%w: part %q for byte %d", errChanged, resp.Header.Get("Content-Range"), offset)}
		}
		info.Total = total
		return answer{info: info, offset: offset}, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 && offset == info.Total {
			return answer{complete: true}, nil
		}
		return answer{}, &retryError{err: fmt.Errorf("%w: it has no byte %d", errChanged, offset)}
	}
	return answer{}, statusError(resp, d.path)
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
func statusError(resp *http.Response, path string) error {
	err := fmt.Errorf("the server answers %s", resp.Status)
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: the file has moved; name a mirror (--url), or put the file at %s yourself", err, path)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: it wants a login or refuses this network; name a mirror (--url), or put the file at %s yourself", err, path)
	case http.StatusProxyAuthRequired:
		return fmt.Errorf("%w: set user and password in HTTPS_PROXY", err)
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &retryError{err: err, after: time.Duration(min(max(seconds, 0), int(maxBackoff/time.Second))) * time.Second}
	}
	return err
}

// permanent tells failures that another try cannot mend.
func permanent(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.Is(err, errRedirect) || errors.As(err, &cert) || (errors.As(err, &dns) && dns.IsNotFound)
}
