// Package sniff tells what stands where a file of weights or a network should.
package sniff

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Length is how many bytes of a file tell.
const Length = 512

// Other says what a file is that starts with head, where it is one of those that downloads
// leave in place of another: a pointer of Git LFS, a web page, an archive. "" is none of them.
func Other(head []byte) string {
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	switch {
	case len(head) == 0:
		return "an empty file"
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return "a pointer of Git LFS and not the file itself: fetch that with git lfs pull"
	case bytes.HasPrefix(text, []byte("<!doctype")), bytes.HasPrefix(text, []byte("<html")), bytes.HasPrefix(text, []byte("<?xml")), bytes.HasPrefix(text, []byte("<head")):
		return "a web page: the download gave one instead of the file, as after a login or with a wrong address"
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")) && (len(head) < 9 || head[8] != '{'): // which starts safetensors with a header of that length
		return "a gzip archive: unpack it first"
	}
	return ""
}

// OtherAt is Other of what r starts with, "" where that cannot be read.
func OtherAt(r io.ReaderAt) string {
	head := make([]byte, Length)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	return Other(head[:n])
}

// OtherOrText is OtherAt, or what text r starts with, which no file of weights is.
func OtherOrText(r io.ReaderAt) string {
	if other := OtherAt(r); other != "" {
		return other
	}
	head := make([]byte, Length)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF || !strings.HasPrefix(http.DetectContentType(head[:n]), "text/") {
		return ""
	}
	return fmt.Sprintf("text, which begins with %q", head[:min(n, 40)])
}
