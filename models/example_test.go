package models_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"graft/models"
)

// A download from a mirror; the hash is compared all the same.
func ExampleDownload() {
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "weights", time.Time{}, bytes.NewReader([]byte("weights")))
	}))
	defer mirror.Close()
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)

	entry := models.Entry{Name: "mine", URL: "https://example.org/mine.pth", File: "mine.pth", SHA256: "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}
	res, err := models.Download(context.Background(), entry, dir, models.DownloadOptions{URL: mirror.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filepath.Base(res.Path), res.Verified)
	// Output: mine.pth SHA-256 as stated by the zoo
}
