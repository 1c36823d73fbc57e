package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fileServer is a server on the loopback interface with the faults of real
// ones.
type fileServer struct {
	mu      sync.Mutex
	data    []byte
	etag    string
	noRange bool  // always sends the whole file
	noSize  bool  // does not say how long it is
	cuts    []int // how many bytes each answer sends before the connection breaks; -1: all
	status  []int // answers with these first
	stated  string
	shift   bool // parts start one byte late
	ignore  bool // ignores If-Range
	seen    []string
	hook    func(sent int)
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Header.Get("Range"))
	if len(s.status) > 0 {
		code := s.status[0]
		s.status = s.status[1:]
		w.WriteHeader(code)
		return
	}
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	if s.stated != "" {
		w.Header().Set("X-Linked-Etag", `"`+s.stated+`"`)
	}
	from := s.start(r)
	if from < 0 {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	body := s.data[from:]
	if !s.noSize {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	if from > 0 {
		first := from
		if s.shift {
			first++
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(s.data)-1, len(s.data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	s.send(w, body)
}

// start reads Range; -1 is beyond the file.
func (s *fileServer) start(r *http.Request) int {
	var from int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n != 1 || s.noRange {
		return 0
	}
	if s.etag == "" || r.Header.Get("If-Range") != s.etag && !s.ignore {
		return 0
	}
	if from >= len(s.data) {
		return -1
	}
	return from
}

func (s *fileServer) send(w http.ResponseWriter, body []byte) {
	cut := -1
	if len(s.cuts) > 0 {
		cut, s.cuts = s.cuts[0], s.cuts[1:]
	}
	if cut < 0 {
		_, _ = w.Write(body)
		return
	}
	_, _ = w.Write(body[:min(cut, len(body))])
	_ = http.NewResponseController(w).Flush()
	if s.hook != nil {
		s.hook(cut)
	}
	panic(http.ErrAbortHandler)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func randomBytes(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// serve starts a server with a random file and returns its address, options
// for short waits, and the log.
func serve(t *testing.T, s *fileServer) (string, Options, *[]string) {
	t.Helper()
	if s.data == nil {
		s.data = randomBytes(700_000, 1)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	var mu sync.Mutex
	var log []string
	o := Options{Backoff: time.Millisecond, Log: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, line)
	}}
	return server.URL + "/fake.pth", o, &log
}

// pull is a whole download; it returns the two digests.
func pull(ctx context.Context, address, path string, o Options) (sum, stated string, err error) {
	p, err := Open(path, o)
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Fetch(ctx, address); err != nil {
		return "", "", err
	}
	sum, err1 := p.SHA256(ctx)
	stated, err2 := p.Stated()
	return sum, stated, errors.Join(err1, err2, p.Commit())
}

// wantFile downloads data and checks that nothing but it lies in the folder.
func wantFile(t *testing.T, address, path string, o Options, data []byte) {
	t.Helper()
	sum, _, err := pull(context.Background(), address, path, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) || sum != digestOf(data) {
		t.Errorf("the file differs: %d bytes, SHA-256 %s, want %d, %s", len(got), sum, len(data), digestOf(data))
	}
	wantFolder(t, path, "fake.pth")
}

// wantFolder checks the names beside path. Windows cannot remove a lock's file.
func wantFolder(t *testing.T, path string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") || runtime.GOOS != "windows" {
			got = append(got, e.Name())
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("the folder holds %v, want %v", got, names)
	}
}

func ranges(s *fileServer) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.seen))
	for i, r := range s.seen {
		if out[i] = r; r == "" {
			out[i] = "-"
		}
	}
	return strings.Join(out, " ")
}
