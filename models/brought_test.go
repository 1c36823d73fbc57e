package models

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The network that graft brings is written without a server, verified, and small; a damaged copy is written again, and
// an entry with another hash is refused.
func TestBrought(t *testing.T) {
	e, err := Get(Mini)
	if err != nil || !e.Brought() {
		t.Fatalf("%+v, %v", e, err)
	}
	dir := filepath.Join(t.TempDir(), "models")
	for _, damage := range []bool{false, true} {
		if damage {
			if err := os.WriteFile(filepath.Join(dir, e.File), []byte("damaged"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Download(context.Background(), e, dir, DownloadOptions{})
		if err != nil || !r.Fetched || !r.Pinned || r.SHA256 != e.SHA256 || len(e.SHA256) != 64 {
			t.Fatalf("damaged before: %v: %+v, %v", damage, r, err)
		}
		data, err := os.ReadFile(r.Path)
		if err != nil || int64(len(data)) != e.Bytes || len(data) > 2<<20 || digestOf(data) != e.SHA256 {
			t.Errorf("%d bytes, %v; want %d, at most 2 MiB", len(data), err, e.Bytes)
		}
	}
	if r, err := Download(context.Background(), e, dir, DownloadOptions{}); err != nil || r.Fetched {
		t.Errorf("written again though it was there: %+v, %v", r, err)
	}
	e.SHA256 = strings.Repeat("0", 64)
	if _, err := Download(context.Background(), e, t.TempDir(), DownloadOptions{}); err == nil || !strings.Contains(err.Error(), "in this program") {
		t.Errorf("another hash: %v", err)
	}
}
