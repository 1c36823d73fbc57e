package sniff

import (
	"fmt"
	"strings"
	"testing"
)

func ExampleOther() {
	fmt.Println(Other([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a")))
	// Output: a pointer of Git LFS and not the file itself: fetch that with git lfs pull
}

func TestOther(t *testing.T) {
	for head, want := range map[string]string{
		"": "an empty file", "<!DOCTYPE html>": "a web page", "\xef\xbb\xbf\n <html lang=en>": "a web page", "\x1f\x8b\x08": "gzip",
		"\x08\x08\x12": "", "\x1f\x8b\x09": "", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03": "gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00{}": "", "PK\x03\x04": "", "<": "", "version 2": "",
	} {
		if got := OtherAt(strings.NewReader(head)); want == "" && got != "" || !strings.HasPrefix(got, want) && !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

// Text of any kind is no file of weights, where these alone are wanted.
func TestOtherOrText(t *testing.T) {
	for head, want := range map[string]string{"<html>": "a web page", "Not found\n": "text, which begins with \"Not found", "PK\x03\x04": "", "\x80\x02": ""} {
		if got := OtherOrText(strings.NewReader(head)); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
