package serve

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"graft/finetune/model"
)

// listen runs a server on a free port; stop ends it, ended is how it ended.
func listen(t *testing.T, s *Server) (address string, stop func(), ended chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	address, ended = listenFor(ctx, t, s)
	return address, stop, ended
}

func listenFor(ctx context.Context, t *testing.T, s *Server) (address string, ended chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	return l.Addr().String(), ended
}

func get(t *testing.T, address string) (code int, body string) {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(data)
}

// TestStops: readiness fails first, what was asked is answered, then the server ends, though New and Run have one context.
func TestStops(t *testing.T) {
	m := &middle{hold: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	s, err := New(ctx, Config{Model: model.New(m, []string{"a", "b"}), Loopback: true, Grace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	address, ended := listenFor(ctx, t, s)
	if code, _ := get(t, "http://"+address+"/readyz"); code != 200 {
		t.Fatalf("not ready: %d", code)
	}
	answered := make(chan int, 1)
	go func() {
		r, err := http.Post("http://"+address+"/v1/predict", "image/png", bytes.NewReader(gray(2, 9)))
		if err != nil {
			answered <- 0
			return
		}
		r.Body.Close()
		answered <- r.StatusCode
	}()
	m.wait(1)
	stop()
	for s.ready.Load() {
		time.Sleep(time.Millisecond)
	}
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200} { // whether or not it listens still
		w := httptest.NewRecorder()
		if s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)); w.Code != want {
			t.Errorf("%s while it stops: %d, want %d", path, w.Code, want)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with a request under way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(m.hold)
	if code := <-answered; code != 200 {
		t.Errorf("the request under way got %d", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLetsGo: a server that has ended uses its model no more, be it for a client that has gone.
func TestLetsGo(t *testing.T) {
	m := &middle{hold: make(chan struct{})}
	s := server(t, m, Config{Loopback: true, Grace: time.Millisecond})
	address, stop, ended := listen(t, s)
	gone, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(gone, http.MethodPost, "http://"+address+"/v1/predict", bytes.NewReader(gray(2, 9)))
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(r)
		left <- err
	}()
	m.wait(1)
	leave()
	if err := <-left; err == nil {
		t.Error("a client that went was answered")
	}
	stop()
	select {
	case <-ended:
		t.Error("ended with the network running")
	case <-time.After(100 * time.Millisecond):
	}
	close(m.hold)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if w := post(s, "/v1/predict", bytes.NewReader(gray(2, 9))); w.Code != 503 {
		t.Errorf("after its end it answers %d", w.Code)
	}
}

// TestSlowClients: one that does not go on is answered or cut off in time, and holds up nobody; a body whose length alone is
// too much is refused before it comes.
func TestSlowClients(t *testing.T) {
	s := server(t, &middle{}, Config{Loopback: true, Limits: Limits{Time: time.Second}})
	address, stop, _ := listen(t, s)
	defer stop()
	for name, c := range map[string]struct{ sent, want string }{
		"in the header": {"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-", ""},
		"in the body":   {"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n\x89PNG", "408"},
		"10 GB":         {"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000\r\n\r\n\x89PNG", "413"},
	} {
		c1, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c1.Close()
		if _, err := io.WriteString(c1, c.sent); err != nil {
			t.Fatal(err)
		}
		if w := post(s, "/v1/predict", bytes.NewReader(gray(2, 9))); w.Code != 200 {
			t.Errorf("%s: another got %d", name, w.Code)
		}
		_ = c1.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := io.ReadAll(c1) // until the server hangs up
		if err != nil || !strings.Contains(string(answer[:min(len(answer), 16)]), c.want) {
			t.Errorf("%s: %q, %v; want %s and the end", name, answer, err, c.want)
		}
	}
	if !s.memory.TryAcquire(256 << 20) {
		t.Error("memory was not given back")
	}
}

// TestStrangers: names of other machines, requests without the token, pages of other origins.
func TestStrangers(t *testing.T) {
	const token, origin = "0123456789abcdef", "https://example.org"
	body := gray(2, 9)
	for name, c := range map[string]struct {
		config  Config
		headers []string
		status  int
	}{
		"this machine":         {Config{Loopback: true}, []string{"Host", "127.0.0.1:80"}, 200},
		"by number six":        {Config{Loopback: true}, []string{"Host", "[::1]:80"}, 200},
		"without a port":       {Config{Loopback: true}, []string{"Host", "localhost"}, 200},
		"another name":         {Config{Loopback: true}, []string{"Host", "evil.example:80"}, 421},
		"a name like it":       {Config{Loopback: true}, []string{"Host", "localhost.evil.example"}, 421},
		"a proxy's name":       {Config{Loopback: true, Token: token}, []string{"Host", "server.example", "Authorization", "Bearer " + token}, 200},
		"open to others":       {Config{Token: token}, []string{"Host", "server.example", "Authorization", "Bearer " + token}, 200},
		"no token":             {Config{Token: token}, nil, 401},
		"another token":        {Config{Token: token}, []string{"Authorization", "Bearer " + token + "0"}, 401},
		"token without a word": {Config{Token: token}, []string{"Authorization", token}, 401},
		"another origin":       {Config{}, []string{"Origin", origin}, 403},
		"origin let in":        {Config{Origin: origin}, []string{"Origin", origin, "Sec-Fetch-Site", "cross-site"}, 200},
		"origin not let in":    {Config{Origin: origin}, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
	} {
		w := post(server(t, &middle{}, c.config), "/v1/predict", bytes.NewReader(body), c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, w.Code, c.status, w.Body)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); (got == origin) != (name == "origin let in") || got != "" && got != origin {
			t.Errorf("%s: lets in %q", name, got)
		}
		if w.Header().Get("Content-Security-Policy") != policy || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", name, w.Header())
		}
	}
}

// TestKeep: with a folder what was classified is stored, for its owner alone; without one, nothing.
func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	s := server(t, &middle{}, Config{Keep: dir})
	for _, body := range [][]byte{gray(2, 9), gray(2, 9), gray(3, 9), []byte("no image")} {
		post(s, "/v1/predict", bytes.NewReader(body))
	}
	two, kind := form(gray(4, 9), gray(5, 9))
	post(s, "/v1/predict", bytes.NewReader(two[:len(two)-8]), "Content-Type", kind) // is refused
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 2 || filepath.Ext(list[0].Name()) != ".png" {
		t.Fatalf("kept %v (%v), want two images", list, err)
	}
	if info, err := list[0].Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("kept with mode %v (%v)", info.Mode(), err)
	}
}

// TestFigures: requests are counted by path and status, strangers' paths as one.
func TestFigures(t *testing.T) {
	s := server(t, &middle{}, Config{Loopback: true})
	address, stop, _ := listen(t, s)
	defer stop()
	post(s, "/v1/predict", bytes.NewReader(gray(2, 9)))
	post(s, "/v1/predict", strings.NewReader("no image"))
	get(t, "http://"+address+"/one")
	get(t, "http://"+address+"/two")
	_, text := get(t, "http://"+address+"/metrics")
	for _, want := range []string{`graft_requests_total{path="/v1/predict",status="200"} 1`, `graft_requests_total{path="/v1/predict",status="415"} 1`,
		`graft_requests_total{path="/",status="404"} 2`, `graft_batch_images_sum 1`, `graft_images_total{outcome="refused"} 1`, `graft_waiting_images 0`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
}

// TestPage: the page loads what it came with and nothing else, and keeps to its policy.
func TestPage(t *testing.T) {
	s := server(t, &middle{}, Config{Loopback: true})
	address, stop, _ := listen(t, s)
	defer stop()
	code, page := get(t, "http://"+address+"/")
	if code != 200 || !strings.Contains(page, "<title>") {
		t.Fatalf("%d %s", code, page)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "#") || strings.HasPrefix(m[1], "data:") {
			continue
		}
		if code, _ := get(t, "http://"+address+"/"+m[1]); code != 200 || strings.Contains(m[1], ":") {
			t.Errorf("the page wants %s: %d", m[1], code)
		}
	}
	if regexp.MustCompile(`<script>|<style>| style="| on\w+="`).MatchString(page) {
		t.Error("the page has scripts or styles within, which its policy forbids")
	}
}
