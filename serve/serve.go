// Package serve answers for a model over HTTP: an API whose JSON has the words of graft predict, and a page for people. What
// many clients ask at once goes through the network together; what is too large, too slow or too much is refused, with the
// reason, before it costs memory. Nothing is kept unless that is asked for.
package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/pretrained/detect"
	"graft/report/show"
)

// Watcher tells where an image shows its class: a [show.Watcher].
type Watcher interface {
	Evidence(context.Context, preprocess.Image) (*show.Evidence, [4]float64, error)
}

// Limits bound what requests may cost. Zero values are the usual ones.
type Limits struct {
	Bytes  int64         // of an image; 0: 16 MiB
	Pixels int64         // of an image; 0: 25 million
	Images int           // of a request; 0: 64
	Memory int64         // bytes of images, as they came and as the network takes them, of all requests; 0: 256 MiB
	Queue  int           // images that wait for the network or are in it; 0: 256
	Time   time.Duration // for receiving a request, and again for answering it; 0: 30 seconds
	Wait   time.Duration // that an image waits for others to share the network with; 0: 2 milliseconds
	Batch  int           // images that share it at most; 0: what suits the model
}

// Config says what is served, and to whom.
type Config struct {
	Model    *model.Predictor
	Name     string // of the model, for people
	Notes    []string
	Watcher  Watcher          // nil: no evidence
	Detector *detect.Detector // nil: no faces
	Limits   Limits
	Loopback bool                             // the server listens on this machine alone: other names in Host are refused
	Token    string                           // that requests must bear; "": none
	Origin   string                           // of pages elsewhere that may ask; "": none
	Keep     string                           // folder for the images that were classified; "": nothing is kept
	Grace    time.Duration                    // between failing /readyz and taking no more requests, when it is stopped
	Log      func(format string, args ...any) // what went wrong here, not at the client; nil: nothing is told
}

// Server answers requests.
type Server struct {
	c       Config
	token   [sha256.Size]byte
	predict *batcher[[]float32]
	embed   *batcher[[]float32]
	queue   *semaphore.Weighted // of images
	memory  *semaphore.Weighted // of bytes
	cores   *semaphore.Weighted // that decode
	looks   *semaphore.Weighted // photographs that are kept for their evidence
	ready   atomic.Bool
	figures *figures
	handler http.Handler
	using   sync.RWMutex // read by who answers; closed is written once nobody does
	closed  bool
	stop    func() // ends the batchers
}

// looksAtOnce is how many photographs wait at most for their evidence, which is told of one after the other.
const looksAtOnce = 4

func orElse[T comparable](v *T, usual T) {
	var zero T
	if *v == zero {
		*v = usual
	}
}

// check tells of limits within which what is allowed could never be answered.
func (l Limits) check() error {
	if least := max(2*l.Bytes, 2*readStep); l.Memory < least {
		return fmt.Errorf("images of %d bytes, but only %d bytes of memory for those of all requests; want %d", l.Bytes, l.Memory, least)
	}
	if l.Queue < l.Images {
		return fmt.Errorf("requests of %d images, but a queue of %d; want one of at least as many", l.Images, l.Queue)
	}
	return nil
}

// New is a server that is ready. It uses its model until Run returns, or Close where Run is not called; that ctx ends does not
// end it, so that what was asked is answered.
func New(ctx context.Context, c Config) (*Server, error) {
	l := &c.Limits
	orElse(&l.Bytes, 16<<20)
	orElse(&l.Pixels, 25_000_000)
	orElse(&l.Images, 64)
	orElse(&l.Memory, 256<<20)
	orElse(&l.Queue, 256)
	orElse(&l.Time, 30*time.Second)
	orElse(&l.Wait, 2*time.Millisecond)
	orElse(&l.Batch, max(c.Model.BatchSize(), 1))
	if err := l.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	s := &Server{c: c, token: sha256.Sum256([]byte(c.Token)), queue: semaphore.NewWeighted(int64(l.Queue)), memory: semaphore.NewWeighted(l.Memory),
		cores: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))), looks: semaphore.NewWeighted(looksAtOnce)}
	s.figures = newFigures()
	if c.Keep != "" {
		if err := os.MkdirAll(c.Keep, 0o700); err != nil {
			return nil, err
		}
	}
	guarded, err := s.guarded()
	if err != nil {
		return nil, err
	}
	s.handler = guarded
	s.begin(context.WithoutCancel(ctx))
	s.ready.Store(true)
	return s, nil
}

// begin has the batchers work until stop, which returns when they have let go of the model.
func (s *Server) begin(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	s.predict = newBatcher(ctx, &working, s.c.Limits, s.figures, s.probabilities)
	if e := s.c.Model.Embedder(); e != nil {
		s.embed = newBatcher(ctx, &working, s.c.Limits, s.figures, e.Embed)
	}
	s.stop = func() {
		cancel()
		working.Wait()
	}
}

// Close returns when nothing uses the model any more; requests that come later are refused.
func (s *Server) Close() {
	s.ready.Store(false)
	s.using.Lock()
	s.closed = true
	s.using.Unlock()
	s.stop()
}

// probabilities are a row for each image.
func (s *Server) probabilities(ctx context.Context, images []preprocess.Image) ([][]float32, error) {
	probs, err := s.c.Model.Probabilities(ctx, images)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(probs, len(s.c.Model.Labels()))), nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.using.RLock()
	defer s.using.RUnlock()
	if s.closed {
		refuse(w, faultf(http.StatusServiceUnavailable, "the server has ended"))
		return
	}
	s.handler.ServeHTTP(w, r)
}

// Run answers on l until ctx ends; then readiness fails first, what was asked is answered, and the server is closed.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	defer s.Close()
	t := s.c.Limits.Time
	h := http.Server{Handler: s, ReadHeaderTimeout: min(t, 10*time.Second), ReadTimeout: t, WriteTimeout: 2*t + 5*time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: s.errorLog()}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	time.Sleep(s.c.Grace)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*t)
	defer cancel()
	err := h.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("requests were still under way %v after the end", 2*t), h.Close())
	}
	return err
}
