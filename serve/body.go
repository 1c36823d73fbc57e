package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/pretrained/detect"
)

// upload is an image of a request, brought to what the network takes, or why it is none. It holds a place in the queue.
type upload struct {
	model.Item
	photo preprocess.Image // its pixels are kept where evidence is wanted
}

// wish is what is wanted of images beside an answer.
type wish struct{ faces, evidence bool }

// mostBytes is how long a body may be.
func (s *Server) mostBytes() int64 {
	return min(int64(s.c.Limits.Images)*s.c.Limits.Bytes, s.c.Limits.Memory) + 1<<20
}

// receive reads and decodes the images of a request: its body, or the files of a form. The queue's places are returned by
// release, which must be called. Of a form an image that is none does not stop the others.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, want wish) (list []upload, release func(), err error) {
	release = func() {
		s.queue.Release(int64(len(list)))
		s.figures.waiting.Sub(float64(len(list)))
	}
	if r.ContentLength > s.mostBytes() {
		return nil, release, faultf(http.StatusRequestEntityTooLarge, "the body of %d bytes is longer than %d", r.ContentLength, s.mostBytes())
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.mostBytes())
	add := func(name string, from io.Reader) error {
		if want.evidence && len(list) > 0 {
			return faultf(http.StatusBadRequest, "evidence is told of one image a request")
		}
		u, err := s.image(r.Context(), name, from, want)
		if err == nil {
			list = append(list, u)
		}
		return err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		if err = add("", r.Body); err == nil && list[0].Err != nil {
			err = list[0].Err
		}
		return list, release, err
	}
	body := &metered{Reader: r.Body}
	parts := multipart.NewReader(body, params["boundary"])
	for {
		body.left = mostHeader
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && bytes.Contains(body.tail, []byte("--"+params["boundary"]+"--")) {
			break
		}
		if err != nil {
			return list, release, broken(err)
		}
		if p.FileName() == "" {
			continue // a form's field
		}
		if len(list) == s.c.Limits.Images {
			return list, release, faultf(http.StatusRequestEntityTooLarge, "more than %d images", s.c.Limits.Images)
		}
		body.left = s.mostBytes()
		if err := add(p.FileName(), p); err != nil {
			return list, release, broken(err)
		}
	}
	if len(list) == 0 {
		return nil, release, faultf(http.StatusBadRequest, "the form has no file")
	}
	return list, release, nil
}

// mostHeader is how long what lies between two files of a form may be.
const mostHeader = 64 << 10

// metered is a reader of so many bytes.
type metered struct {
	io.Reader
	left int64
	tail []byte // what was read last: a form that was broken off ends like a whole one, but for its last line
}

// mostTail is longer than a form's last line.
const mostTail = 256

func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, fmt.Errorf("more than %d bytes between two files", mostHeader)
	}
	n, err := m.Reader.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	m.tail = append(m.tail, p[max(0, n-mostTail):n]...)
	m.tail = append(m.tail[:0], m.tail[max(0, len(m.tail)-mostTail):]...)
	return n, err
}

// broken is the fault of a form that does not hold together; what has a status of its own stays.
func broken(err error) error {
	var f *Fault
	if errors.As(err, &f) || errors.As(err, new(*http.MaxBytesError)) || errors.As(err, new(interface{ Timeout() bool })) {
		return err
	}
	return faultf(http.StatusBadRequest, "the form is broken: %v", err)
}

// image reads and decodes one image, and takes a place in the queue for it. An error is of the request; the image's own stands
// in the upload.
func (s *Server) image(ctx context.Context, name string, from io.Reader, want wish) (u upload, err error) {
	data, err := s.read(from)
	defer func() { s.memory.Release(int64(cap(data))) }()
	if err != nil {
		return u, err
	}
	if !s.queue.TryAcquire(1) {
		return u, tooMuch(fmt.Sprintf("%d images are waiting", s.c.Limits.Queue))
	}
	s.figures.waiting.Inc()
	if u, err = s.decode(ctx, name, data, want); err == nil && u.Err == nil && s.c.Keep != "" {
		err = s.keep(data)
	}
	if err != nil {
		s.queue.Release(1)
		s.figures.waiting.Dec()
	}
	return u, err
}

// decode makes of an image's bytes what the network takes, on one of the cores.
func (s *Server) decode(ctx context.Context, name string, data []byte, want wish) (u upload, err error) {
	if err := s.cores.Acquire(ctx, 1); err != nil {
		return u, err
	}
	defer s.cores.Release(1)
	var faces *detect.Detector
	if want.faces {
		faces = s.c.Detector
	}
	u.Item = s.c.Model.Item(ctx, model.Picture{Name: name, Read: func(ctx context.Context) (preprocess.Image, error) {
		im, err := preprocess.DecodeUpTo(ctx, bytes.NewReader(data), s.c.Limits.Pixels)
		u.photo = im
		return im, err
	}}, faces)
	if !want.evidence {
		u.photo.Pix = nil
	}
	outcome := "decoded"
	if u.Err != nil {
		if outcome = "refused"; !errors.As(u.Err, new(*preprocess.BadImageError)) {
			return u, u.Err
		}
	}
	s.figures.images.WithLabelValues(outcome).Inc()
	return u, nil
}

// read reads an image's bytes, whose memory is taken as they come, so that a client that only announces much takes none. As
// many bytes as the slice has room for are to be given back.
func (s *Server) read(from io.Reader) (data []byte, err error) {
	const step = 32 << 10
	for {
		if len(data) == cap(data) {
			more := max(step, cap(data)) // doubled
			if int64(cap(data)) > s.c.Limits.Bytes {
				return data, faultf(http.StatusRequestEntityTooLarge, "the image is longer than %d bytes", s.c.Limits.Bytes)
			}
			if !s.memory.TryAcquire(int64(more)) {
				return data, tooMuch("too many images are being received")
			}
			grown := make([]byte, len(data), cap(data)+more)
			copy(grown, data)
			data = grown
		}
		n, err := from.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > s.c.Limits.Bytes:
			return data, faultf(http.StatusRequestEntityTooLarge, "the image is longer than %d bytes", s.c.Limits.Bytes)
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return data, err
		}
	}
}
