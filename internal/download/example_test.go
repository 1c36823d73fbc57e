package download_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"graft/internal/download"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "weights", time.Time{}, bytes.NewReader([]byte("weights")))
	}))
	defer server.Close()
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "weights.pth")
	part, err := download.Open(path, download.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer part.Close()
	if err := part.Fetch(context.Background(), server.URL); err != nil {
		fmt.Println(err)
		return
	}
	sum, err := part.SHA256(context.Background())
	fmt.Println(sum[:8], err)
	fmt.Println(part.Commit()) // after comparing the sum
	data, _ := os.ReadFile(path)
	fmt.Println(string(data))
	// Output:
	// 9a129038 <nil>
	// <nil>
	// weights
}
