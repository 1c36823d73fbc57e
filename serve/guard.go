package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// policy lets the page load nothing but what it came with.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded is everything that is answered, behind what keeps strangers out.
func (s *Server) guarded() (http.Handler, error) {
	mux := http.NewServeMux()
	page, err := s.page()
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /", page)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { s.state(w, true) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { s.state(w, s.ready.Load()) })
	mux.Handle("GET /metrics", s.authorized(s.figures.handler().ServeHTTP))
	mux.Handle("GET /v1/model", s.authorized(s.about))
	mux.Handle("POST /v1/predict", s.authorized(s.timed(s.predictImages)))
	mux.Handle("POST /v1/embed", s.authorized(s.timed(s.embedImages)))
	cross := http.NewCrossOriginProtection()
	if s.c.Origin != "" {
		if err := cross.AddTrustedOrigin(s.c.Origin); err != nil {
			return nil, err
		}
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, faultf(http.StatusForbidden, "a page of another origin asks; graft serve --cors ORIGIN lets it"))
	}))
	return s.counted(mux, s.shielded(cross.Handler(mux))), nil
}

// shielded sets the headers that browsers keep to, and refuses other names than the machine's own, by which a page elsewhere
// could make a browser ask here (DNS rebinding).
func (s *Server) shielded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.c.Origin == "" {
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
		} else if h.Add("Vary", "Origin"); r.Header.Get("Origin") == s.c.Origin {
			h.Set("Access-Control-Allow-Origin", s.c.Origin)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Expose-Headers", "Retry-After")
		}
		if s.c.Loopback && s.c.Token == "" && !isLoopback(r.Host) { // a page elsewhere does not know the token
			refuse(w, faultf(http.StatusMisdirectedRequest, "host %q is not this machine; ask for localhost or 127.0.0.1", r.Host))
			return
		}
		if r.Method == http.MethodOptions && h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback tells the names of this machine, with or without a port.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// authorized wants the token.
func (s *Server) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.c.Token != "" {
			given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			hash := sha256.Sum256([]byte(given)) // of equal length, so that the comparison's time tells nothing
			if subtle.ConstantTimeCompare(hash[:], s.token[:]) != 1 || !ok {
				refuse(w, faultf(http.StatusUnauthorized, "want the header Authorization: Bearer TOKEN, with the server's token"))
				return
			}
		}
		next(w, r)
	})
}

// timed ends what a request asks for when its time is over.
func (s *Server) timed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*s.c.Limits.Time)
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// state answers the probes.
func (s *Server) state(w http.ResponseWriter, well bool) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("stopping\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// status remembers what was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (w *status) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController through.
func (w *status) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// counted tells the figures of every request, under the path that answers it: strangers' paths are one.
func (s *Server) counted(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, out := time.Now(), &status{w, http.StatusOK}
		_, pattern := mux.Handler(r)
		_, path, _ := strings.Cut(pattern, " ")
		defer func() {
			s.figures.requests.WithLabelValues(path, strconv.Itoa(out.code)).Inc()
			s.figures.seconds.WithLabelValues(path).Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(out, r)
	})
}

// errorLog takes what net/http complains of, but for what clients alone can mend.
func (s *Server) errorLog() *log.Logger { return log.New(quietly{s}, "", 0) }

type quietly struct{ s *Server }

func (q quietly) Write(line []byte) (int, error) {
	for _, noise := range []string{"TLS handshake error", "URL query contains semicolon"} {
		if strings.Contains(string(line), noise) {
			return len(line), nil
		}
	}
	q.s.c.Log("%s", bytes.TrimSpace(line))
	return len(line), nil
}
