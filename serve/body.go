package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/pretrained/detect"
)

// upload is an image of a request, brought to what the network takes, or why it is none.
type upload struct {
	model.Item
	photo preprocess.Image // its pixels are kept where evidence is wanted
	data  []byte           // as it came, where it is to be stored
}

// weight is how many bytes it holds until it is answered: of models that take whole photographs that is no little.
func (u upload) weight() int64 {
	n := len(u.photo.Pix) + len(u.data)
	for _, im := range u.Images {
		n += len(im.Pix)
	}
	return int64(n)
}

// wish is what is wanted of images beside an answer.
type wish struct{ faces, evidence bool }

// mostBytes is how long a body may be.
func (s *Server) mostBytes() int64 {
	return min(int64(s.c.Limits.Images)*s.c.Limits.Bytes, s.c.Limits.Memory) + 1<<20
}

// receive reads and decodes the images of a request: its body, or the files of a form. What they hold of memory, and their
// places in the queue, which are taken once the body is there, are given back by release, which must be called. Of a form an
// image that is none does not stop the others.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, want wish) (list []upload, release func(), err error) {
	var held, places int64
	release = func() {
		s.memory.Release(held)
		s.queue.Release(places)
		s.figures.waiting.Sub(float64(places))
	}
	if r.ContentLength > s.mostBytes() {
		return nil, release, faultf(http.StatusRequestEntityTooLarge, "the body of %d bytes is longer than %d", r.ContentLength, s.mostBytes())
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.mostBytes())
	add := func(name string, from io.Reader) error {
		switch {
		case want.evidence && len(list) > 0:
			return faultf(http.StatusBadRequest, "evidence is told of one image a request")
		case len(list) == s.c.Limits.Images:
			return faultf(http.StatusRequestEntityTooLarge, "more than %d images", s.c.Limits.Images)
		}
		u, err := s.image(r.Context(), name, from, want)
		if err == nil {
			list = append(list, u)
			err = s.hold(u.weight(), &held)
		}
		return err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		if err = add("", r.Body); err == nil {
			err = list[0].Err
		}
	} else {
		err = s.form(r.Body, params["boundary"], add)
	}
	if err != nil {
		return list, release, err
	}
	if n := int64(len(list)); s.queue.TryAcquire(n) {
		places = n
		s.figures.waiting.Add(float64(n))
		return list, release, nil
	}
	return list, release, tooMuch(fmt.Sprintf("%d images may wait, and there is no place for %d more", s.c.Limits.Queue, len(list)))
}

// hold takes memory for what a request has held so far, and more.
func (s *Server) hold(more int64, held *int64) error {
	if *held+more > s.c.Limits.Memory {
		return faultf(http.StatusRequestEntityTooLarge, "the images take more than %d bytes as the network takes them; send fewer, or smaller ones", s.c.Limits.Memory)
	}
	if !s.memory.TryAcquire(more) {
		return tooMuch("the images of others take all memory")
	}
	*held += more
	return nil
}

// form tells add of each file of a form.
func (s *Server) form(from io.Reader, boundary string, add func(string, io.Reader) error) error {
	body := &metered{Reader: from}
	parts := multipart.NewReader(body, boundary)
	for files := false; ; {
		body.left = mostHeader
		p, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && bytes.Contains(body.tail, []byte("--"+boundary+"--")):
			if !files {
				return faultf(http.StatusBadRequest, "the form has no file")
			}
			return nil
		case err != nil:
			return broken("form", err)
		case p.FileName() == "":
			continue // a form's field
		}
		body.left, files = s.mostBytes(), true
		if err := add(p.FileName(), p); err != nil {
			return err
		}
	}
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

// broken is the fault of what does not come as it must; what has a status of its own stays.
func broken(what string, err error) error {
	var f *Fault
	var slow net.Error
	if errors.As(err, &f) || errors.As(err, new(*http.MaxBytesError)) || errors.As(err, &slow) && slow.Timeout() {
		return err
	}
	return faultf(http.StatusBadRequest, "the %s is broken: %v", what, err)
}

// image reads and decodes one image. An error is of the request; the image's own stands in the upload.
func (s *Server) image(ctx context.Context, name string, from io.Reader, want wish) (u upload, err error) {
	data, err := s.read(from)
	defer func() { s.memory.Release(int64(cap(data))) }()
	if err != nil {
		return u, err
	}
	if u, err = s.decode(ctx, name, data, want); err == nil && u.Err == nil && s.c.Keep != "" {
		u.data = data
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

// readStep is what memory is taken by, at first.
const readStep = 32 << 10

// read reads an image's bytes, whose memory is taken as they come, so that a client that only announces much takes none. As
// many bytes as the slice has room for are to be given back.
func (s *Server) read(from io.Reader) (data []byte, err error) {
	for {
		if len(data) == cap(data) {
			more := max(readStep, cap(data)) // doubled
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
			return data, broken("body", err)
		}
	}
}
