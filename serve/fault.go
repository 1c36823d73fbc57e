package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"net"
	"net/http"
	"strings"

	"graft/internal/schema"
	"graft/preprocess"
)

// ErrorSchema is of a Fault.
const ErrorSchema = "graft-error-1"

// Fault is why a request is refused.
type Fault struct {
	Status int    `json:"status"`
	Reason string `json:"error"`
}

func (f *Fault) Error() string { return f.Reason }

// mostReason is how many bytes of a reason are told: some quote what was sent.
const mostReason = 400

func faultf(status int, format string, args ...any) *Fault {
	reason := fmt.Sprintf(format, args...)
	if len(reason) > mostReason {
		reason = strings.ToValidUTF8(reason[:mostReason], "") + "…"
	}
	return &Fault{status, reason}
}

// faultOf is the status that says of an error whose it is; what went wrong here is told the log and not the client.
func (s *Server) faultOf(err error) *Fault {
	var f *Fault
	var bad *preprocess.BadImageError
	var slow net.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &bad) && errors.Is(err, preprocess.ErrTooLarge):
		return faultf(http.StatusRequestEntityTooLarge, "%s", bad.Reason)
	case errors.As(err, &bad) && errors.Is(err, image.ErrFormat):
		return faultf(http.StatusUnsupportedMediaType, "%s", bad.Reason)
	case errors.As(err, &bad):
		return faultf(http.StatusUnprocessableEntity, "%s", bad.Reason)
	case errors.As(err, new(*http.MaxBytesError)):
		return faultf(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", s.mostBytes())
	case errors.Is(err, context.DeadlineExceeded): // a net.Error too
		return faultf(http.StatusServiceUnavailable, "no answer within %v", 2*s.c.Limits.Time)
	case errors.As(err, &slow) && slow.Timeout():
		return faultf(http.StatusRequestTimeout, "the body did not come within %v", s.c.Limits.Time)
	case errors.Is(err, context.Canceled):
		return faultf(statusGone, "the client is gone")
	}
	s.c.Log("%v", err)
	return faultf(http.StatusInternalServerError, "the model failed; the server's log says why")
}

// statusGone, as nginx has it, stands in the figures: nobody reads the answer.
const statusGone = 499

// tooMuch is the fault of what may be asked again later.
func tooMuch(what string) *Fault {
	return faultf(http.StatusTooManyRequests, "%s; ask again later", what)
}

// refuse tells a fault.
func refuse(w http.ResponseWriter, f *Fault) {
	if f.Status == http.StatusTooManyRequests || f.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="graft"`)
	}
	if f.Status == http.StatusRequestEntityTooLarge || f.Status == http.StatusRequestTimeout {
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	}
	_ = writeJSON(w, f.Status, ErrorSchema, f) // text and a number
}

// tell answers, and the log where the answer cannot be written as JSON.
func (s *Server) tell(w http.ResponseWriter, name string, v any) {
	if err := writeJSON(w, http.StatusOK, name, v); err != nil {
		s.c.Log("%v", err)
	}
}

// writeJSON answers with an object of a schema.
func writeJSON(w http.ResponseWriter, status int, name string, v any) error {
	var line bytes.Buffer
	data, err := schema.Marshal(name, v, "")
	if err == nil {
		err = json.Compact(&line, data)
		data = append(line.Bytes(), '\n')
	}
	if err != nil { // numbers that are none: JSON has no word for them
		status, data = http.StatusInternalServerError, []byte(`{"schema":"`+ErrorSchema+`","status":500,"error":"the answer has numbers that are none"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that is gone reads nothing
	return err
}
