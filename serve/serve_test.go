package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/report/show"
)

// middle is a network whose first logit is an image's middle pixel over 100; it has features, and may be held up.
type middle struct {
	hold chan struct{} // nil: it answers at once
	mu   sync.Mutex
	runs []int // images of each
}

func (*middle) Prepare(im preprocess.Image) preprocess.Image { return im }
func (*middle) BatchSize() int                               { return 4 }
func (*middle) Close() error                                 { return nil }
func (*middle) Features() []model.Feature                    { return []model.Feature{{Tap: "cls", Dim: 1}} }

func (m *middle) Classify(_ context.Context, images []preprocess.Image, logits []float32) error {
	m.mu.Lock()
	m.runs = append(m.runs, len(images))
	m.mu.Unlock()
	if m.hold != nil {
		<-m.hold
	}
	for i, im := range images {
		if im.Pix[0] == 66 {
			logits[2*i] = float32(math.NaN())
			continue
		}
		logits[2*i] = float32(im.Pix[len(im.Pix)/2]) / 100
	}
	return nil
}

// wait returns once the network has been run so often.
func (m *middle) wait(runs int) {
	for {
		m.mu.Lock()
		n := len(m.runs)
		m.mu.Unlock()
		if n >= runs {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (m *middle) Embed(_ context.Context, images []preprocess.Image) (rows [][]float32, err error) {
	for _, im := range images {
		if im.Pix[0] == 66 {
			rows = append(rows, []float32{float32(math.NaN())})
			continue
		}
		rows = append(rows, []float32{float32(im.Pix[0])})
	}
	return rows, nil
}

// watcher sees everything in the first pixel.
type watcher struct{}

func (watcher) Evidence(context.Context, preprocess.Image) (*show.Evidence, [4]float64, error) {
	return &show.Evidence{Layer: "x", Class: "a", Rows: 1, Columns: 1, Values: []float32{1}}, [4]float64{0, 0, 2, 2}, nil
}

// server makes one of middle, or of the configuration's model.
func server(t *testing.T, m *middle, c Config) *Server {
	t.Helper()
	c.Model, c.Name = model.New(m, []string{"a", "b"}), "middle"
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// gray is a PNG file of one gray.
func gray(side int, value uint8) []byte {
	im := image.NewGray(image.Rect(0, 0, side, side))
	for i := range im.Pix {
		im.Pix[i] = value
	}
	var out bytes.Buffer
	_ = png.Encode(&out, im) // into memory
	return out.Bytes()
}

// form is a body of files and its type.
func form(files ...[]byte) (body []byte, kind string) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	_ = w.WriteField("note", "is no file")
	for i, f := range files {
		part, _ := w.CreateFormFile("image", fmt.Sprintf("%d.png", i))
		_, _ = part.Write(f)
	}
	_ = w.Close()
	return out.Bytes(), w.FormDataContentType()
}

// post asks, with headers given in pairs.
func post(s http.Handler, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	r.Host = "localhost:8080"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// decoded reads an answer of a schema.
func decoded[T any](t *testing.T, w *httptest.ResponseRecorder, schema string) (v T) {
	t.Helper()
	var named struct{ Schema string }
	if err := json.Unmarshal(w.Body.Bytes(), &named); err != nil || named.Schema != schema || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, schema %q (%v): %s", w.Code, named.Schema, err, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPredict(t *testing.T) {
	s := server(t, &middle{}, Config{Watcher: watcher{}})
	one := decoded[Answer](t, post(s, "/v1/predict?top=1", bytes.NewReader(gray(2, 200))), PredictSchema)
	if len(one.Predictions) != 1 || one.Model != "middle" || one.Predictions[0].Label != "a" || len(one.Predictions[0].Scores) != 1 || one.Predictions[0].Width != 2 {
		t.Errorf("one image: %+v", one)
	}
	body, kind := form(gray(3, 0), []byte("no image"), gray(5, 250))
	many := decoded[Answer](t, post(s, "/v1/predict?threshold=0.8", bytes.NewReader(body), "Content-Type", kind), PredictSchema)
	var told []string
	for _, p := range many.Predictions {
		told = append(told, fmt.Sprint(p.Image, " ", p.Label, " ", p.Width, " ", p.Error != ""))
	}
	if want := []string{"0.png unsure 3 false", "1.png  0 true", "2.png a 5 false"}; !slices.Equal(told, want) {
		t.Errorf("three images: %q, want %q", told, want)
	}
	seen := decoded[Answer](t, post(s, "/v1/predict?evidence=1", bytes.NewReader(gray(2, 0))), PredictSchema)
	if e := seen.Predictions[0].Evidence; e == nil || e.Layer != "x" || *seen.Predictions[0].Seen != [4]float64{0, 0, 2, 2} {
		t.Errorf("evidence %+v", seen.Predictions[0])
	}
	rows := decoded[Embeddings](t, post(s, "/v1/embed", bytes.NewReader(body), "Content-Type", kind), EmbedSchema)
	if len(rows.Images) != 3 || rows.Taps[0].Tap != "cls" || rows.Images[2].Features[0] != 250 || rows.Images[1].Error == "" {
		t.Errorf("features %+v", rows)
	}
	if s.queue.TryAcquire(256) && s.memory.TryAcquire(256<<20) {
		return
	}
	t.Error("places in the queue, or memory, were not given back")
}

// TestRefusals: each with its status and reason, and nothing taken is kept.
func TestRefusals(t *testing.T) {
	s := server(t, &middle{}, Config{Watcher: watcher{}, Limits: Limits{Bytes: 4 << 10, Pixels: 64, Images: 2, Memory: 64 << 10},
		Log: func(format string, args ...any) { t.Errorf("the log is told of what clients did: "+format, args...) }})
	whole := gray(8, 1)
	three, kind := form(whole, whole, whole)
	two, twoKind := form(whole, whole)
	none, noneKind := form()
	endless := struct{ io.Reader }{io.MultiReader(bytes.NewReader(whole), letters{})} // of unknown length
	for name, c := range map[string]struct {
		path, kind string
		body       io.Reader
		status     int
		reason     string
	}{
		"no image":         {"/v1/predict", "", strings.NewReader("hello"), 415, "not a jpeg"},
		"nothing":          {"/v1/predict", "", strings.NewReader(""), 422, "empty"},
		"cut short":        {"/v1/predict", "", bytes.NewReader(whole[:len(whole)-20]), 422, "png"},
		"too many pixels":  {"/v1/predict", "", bytes.NewReader(gray(9, 1)), 413, "9×9 pixels exceeds the limit of 64"},
		"too long":         {"/v1/predict", "", bytes.NewReader(make([]byte, 5<<10)), 413, "longer than 4096"},
		"endless":          {"/v1/predict", "", endless, 413, "longer than 4096"},
		"too many":         {"/v1/predict", kind, bytes.NewReader(three), 413, "more than 2 images"},
		"broken header":    {"/v1/predict", twoKind, bytes.NewReader(two[:len(two)*2/3]), 400, "form is broken"},
		"broken form":      {"/v1/predict", twoKind, bytes.NewReader(two[:len(two)-60]), 400, "body is broken"},
		"no boundary":      {"/v1/predict", "multipart/form-data", bytes.NewReader(two), 400, "form is broken"},
		"endless header":   {"/v1/predict", kind, io.MultiReader(strings.NewReader("--"+strings.Split(kind, "=")[1]+"\r\nX: "), letters{}), 400, "between two files"},
		"no file":          {"/v1/predict", noneKind, bytes.NewReader(none), 400, "no file"},
		"unknown setting":  {"/v1/predict?tops=3", "", bytes.NewReader(whole), 400, `no setting "tops"`},
		"set twice":        {"/v1/predict?top=1&top=2", "", bytes.NewReader(whole), 400, "top is set 2 times"},
		"bad number":       {"/v1/predict?top=-1", "", bytes.NewReader(whole), 400, "top"},
		"bad probability":  {"/v1/predict?threshold=NaN", "", bytes.NewReader(whole), 400, "threshold"},
		"no detector":      {"/v1/predict?faces=1", "", bytes.NewReader(whole), 400, "--faces"},
		"much evidence":    {"/v1/predict?evidence=1", twoKind, bytes.NewReader(two), 400, "one image a request"},
		"features' top":    {"/v1/embed?top=1", "", bytes.NewReader(whole), 400, "there is none"},
		"cut off":          {"/v1/predict", "", io.MultiReader(bytes.NewReader(whole[:9]), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, "body is broken"},
		"hung up":          {"/v1/predict", "", iotest.ErrReader(syscall.ECONNRESET), 400, "body is broken"},
		"a page elsewhere": {"/v1/predict", "", nil, 403, "another origin"},
	} {
		headers := []string{"Content-Type", c.kind}
		if c.status == 403 {
			c.body, headers = bytes.NewReader(whole), append(headers, "Sec-Fetch-Site", "cross-site")
		}
		w := post(s, c.path, c.body, headers...)
		if f := decoded[Fault](t, w, ErrorSchema); len(f.Reason) > mostReason+3 || w.Code != c.status || f.Status != c.status || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%s: status %d, %+v; want %d and %q", name, w.Code, f, c.status, c.reason)
		}
	}
	if !s.queue.TryAcquire(256) || !s.memory.TryAcquire(64<<10) || !s.looks.TryAcquire(looksAtOnce) {
		t.Error("places in the queue, or memory, were not given back")
	}
	for name, l := range map[string]Limits{"less memory than an image needs": {Bytes: 10, Memory: 12}, "less than one step of reading": {Bytes: 10, Memory: 60 << 10},
		"requests that never find room": {Images: 3, Queue: 2}} {
		if _, err := New(t.Context(), Config{Model: s.c.Model, Limits: l}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// letters never end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// TestBatches: what many ask at once shares the network, no more than the batch, and each gets its own answer.
func TestBatches(t *testing.T) {
	m := &middle{}
	s := server(t, m, Config{Limits: Limits{Wait: 100 * time.Millisecond}})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			w := post(s, "/v1/predict", bytes.NewReader(gray(2, uint8(10*i))))
			var a Answer
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || len(a.Predictions) != 1 {
				t.Errorf("image %d: %v %s", i, err, w.Body)
				return
			}
			im := preprocess.New(1, 2, 2)
			for k := range im.Pix {
				im.Pix[k] = uint8(10 * i)
			}
			alone, err := s.c.Model.Image(t.Context(), im)
			if err != nil || a.Predictions[0].Scores[0].Probability != alone[0] {
				t.Errorf("image %d: %v, alone %v", i, a.Predictions[0].Scores, alone)
			}
		})
	}
	all.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Max(m.runs) < 2 || slices.Max(m.runs) > 4 {
		t.Errorf("runs of %v images, want up to 4", m.runs)
	}
}

// TestQueue: who comes when the queue is full is told to come again, and those in it lose nothing.
func TestQueue(t *testing.T) {
	m := &middle{hold: make(chan struct{})}
	s := server(t, m, Config{Limits: Limits{Queue: 2, Images: 2}})
	answers := make(chan int, 2)
	for range 2 {
		go func() { answers <- post(s, "/v1/predict", bytes.NewReader(gray(2, 9))).Code }()
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.queue.TryAcquire(1) { // until both have their places
		s.queue.Release(1)
		if time.Sleep(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("the queue does not fill")
		}
	}
	w := post(s, "/v1/predict", bytes.NewReader(gray(2, 9)))
	if f := decoded[Fault](t, w, ErrorSchema); w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(f.Reason, "2 images may wait") {
		t.Errorf("status %d, %+v, headers %v", w.Code, f, w.Header())
	}
	close(m.hold)
	for range 2 {
		if code := <-answers; code != 200 {
			t.Errorf("one in the queue got %d", code)
		}
	}
	if code := post(s, "/v1/predict", bytes.NewReader(gray(2, 9))).Code; code != 200 {
		t.Errorf("afterwards %d", code)
	}
}

// TestFaults: whose an error is. A run of the network that takes too long has the error that a slow body has, and is not one.
func TestFaults(t *testing.T) {
	s := server(t, &middle{}, Config{})
	for err, want := range map[error]int{fmt.Errorf("run: %w", context.DeadlineExceeded): 503, os.ErrDeadlineExceeded: 408, context.Canceled: 499, io.ErrUnexpectedEOF: 500} {
		if f := s.faultOf(err); f.Status != want {
			t.Errorf("%v: %+v, want %d", err, f, want)
		}
	}
	w := httptest.NewRecorder()
	if refuse(w, s.faultOf(context.DeadlineExceeded)); w.Header().Get("Retry-After") == "" {
		t.Error("too slow, and not said when to ask again")
	}
	var told []string
	s.c.Log = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	for _, path := range []string{"/v1/predict", "/v1/embed"} { // of which the network says no number
		before := len(told)
		if w := post(s, path, bytes.NewReader(gray(2, 66))); w.Code != 500 || len(told) != before+1 {
			t.Errorf("%s: status %d, log %q, answer %s", path, w.Code, told, w.Body)
		}
	}
	told = nil
	for _, line := range []string{"http: TLS handshake error from 1.2.3.4", "http: superfluous response.WriteHeader call", "http: panic serving: x"} {
		s.errorLog().Print(line)
	}
	if want := []string{"http: superfluous response.WriteHeader call", "http: panic serving: x"}; !slices.Equal(told, want) {
		t.Errorf("the log has %q, want %q", told, want)
	}
}

// TestStalled: bodies that do not end take no places from others, neither in the queue nor for evidence.
func TestStalled(t *testing.T) {
	s := server(t, &middle{}, Config{Watcher: watcher{}, Limits: Limits{Queue: 2, Images: 2}})
	body, kind := form(gray(2, 9))
	var all sync.WaitGroup
	var pipes []*io.PipeWriter
	for range looksAtOnce + 2 {
		r, w := io.Pipe()
		pipes = append(pipes, w)
		all.Go(func() { post(s, "/v1/predict?evidence=1", r, "Content-Type", kind) })
		if _, err := w.Write(body[:len(body)-8]); err != nil { // which returns once it has been read
			t.Fatal(err)
		}
	}
	if w := post(s, "/v1/predict?evidence=1", bytes.NewReader(gray(2, 9))); w.Code != 200 {
		t.Errorf("beside bodies that stall another got %d: %s", w.Code, w.Body)
	}
	for _, w := range pipes {
		w.Close()
	}
	all.Wait()
	if !s.memory.TryAcquire(256<<20) || !s.queue.TryAcquire(2) {
		t.Error("places in the queue, or memory, were not given back")
	}
}

// TestWeight: images as the network takes them count as memory, until they are answered.
func TestWeight(t *testing.T) {
	m := &middle{hold: make(chan struct{})}
	s := server(t, m, Config{Limits: Limits{Bytes: 4 << 10, Memory: 128 << 10}})
	if w := post(s, "/v1/predict", bytes.NewReader(gray(400, 9))); w.Code != 413 || !strings.Contains(w.Body.String(), "as the network takes them") {
		t.Errorf("160,000 bytes for the network: status %d: %s", w.Code, w.Body)
	}
	answer := make(chan int)
	go func() { answer <- post(s, "/v1/predict", bytes.NewReader(gray(300, 9))).Code }()
	m.wait(1)
	if w := post(s, "/v1/predict", bytes.NewReader(gray(300, 9))); w.Code != 429 {
		t.Errorf("beside 90,000 bytes: status %d: %s", w.Code, w.Body)
	}
	close(m.hold)
	if code := <-answer; code != 200 || !s.memory.TryAcquire(128<<10) {
		t.Errorf("status %d, or memory was not given back", code)
	}
}

// TestMemory: bytes are taken as they come, by all requests together no more than there are.
func TestMemory(t *testing.T) {
	s := server(t, &middle{}, Config{Limits: Limits{Bytes: 64 << 10, Memory: 128 << 10}})
	if !s.memory.TryAcquire(100 << 10) { // of others
		t.Fatal("no memory")
	}
	if w := post(s, "/v1/predict", bytes.NewReader(gray(2, 9))); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	s.memory.Release(100 << 10)
	if w := post(s, "/v1/predict", bytes.NewReader(gray(2, 9))); w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
