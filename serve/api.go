package serve

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/report/show"
)

// Schemas of answers.
const (
	PredictSchema = "graft-serve-predict-1"
	EmbedSchema   = "graft-serve-embed-1"
	ModelSchema   = "graft-serve-model-1"
)

// Predicted is what is said of an image, or of a face in it, in the words of graft predict.
type Predicted struct {
	model.Prediction
	Width    int            `json:"width,omitempty"` // of the upright image
	Height   int            `json:"height,omitempty"`
	Seen     *[4]float64    `json:"seen,omitempty"` // the part that the network sees: left, top, width, height
	Evidence *show.Evidence `json:"evidence,omitempty"`
	// Why there is no evidence, though it was asked for.
	EvidenceError string `json:"evidence_error,omitempty"`
}

// Answer is that of /v1/predict.
type Answer struct {
	Model       string      `json:"model"`
	Predictions []Predicted `json:"predictions"`
	Seconds     float64     `json:"seconds"`
}

// About is the answer of /v1/model.
type About struct {
	Model    string          `json:"model"`
	Labels   []string        `json:"labels"`
	Notes    []string        `json:"notes"`
	Features []model.Feature `json:"features"`
	Evidence bool            `json:"evidence"`
	Faces    bool            `json:"faces"`
	Keeps    bool            `json:"keeps"`
	Bytes    int64           `json:"bytes"`  // of an image at most
	Pixels   int64           `json:"pixels"` // of an image at most
	Images   int             `json:"images"` // of a request at most
}

func (s *Server) about(w http.ResponseWriter, _ *http.Request) {
	c := s.c
	s.tell(w, ModelSchema, About{Model: c.Name, Labels: c.Model.Labels(), Notes: append([]string{}, c.Notes...),
		Features: s.features(), Evidence: c.Watcher != nil, Faces: c.Detector != nil, Keeps: c.Keep != "",
		Bytes: c.Limits.Bytes, Pixels: c.Limits.Pixels, Images: c.Limits.Images})
}

// asked are the settings in a request's address.
type asked struct {
	wish
	top       int
	threshold float64
}

// parse reads the settings, and refuses those that would have no effect.
func (s *Server) parse(query url.Values, known ...string) (a asked, err error) {
	for name, values := range query {
		if !slices.Contains(known, name) {
			return a, faultf(http.StatusBadRequest, "no setting %q here; there is %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
		if len(values) > 1 {
			return a, faultf(http.StatusBadRequest, "%s is set %d times", name, len(values))
		}
		v, bad := values[0], error(nil)
		switch name {
		case "top":
			if a.top, bad = strconv.Atoi(v); a.top < 0 {
				bad = errors.New("negative")
			}
		case "threshold":
			if a.threshold, bad = strconv.ParseFloat(v, 64); !(a.threshold >= 0 && a.threshold <= 1) {
				bad = errors.New("no probability")
			}
		case "faces":
			a.faces, bad = strconv.ParseBool(v)
		case "evidence":
			a.evidence, bad = strconv.ParseBool(v)
		}
		if bad != nil {
			return a, faultf(http.StatusBadRequest, "%s=%q: want a number from 0 on (top), one from 0 to 1 (threshold), or 0 or 1", name, v)
		}
	}
	switch {
	case a.faces && s.c.Detector == nil:
		return a, faultf(http.StatusBadRequest, "no detector of faces is at hand; graft serve --faces FILE brings it")
	case a.evidence && s.c.Watcher == nil:
		return a, faultf(http.StatusBadRequest, "this server tells no evidence")
	case a.evidence && a.faces:
		return a, faultf(http.StatusBadRequest, "evidence is told of whole images, not of faces")
	}
	return a, nil
}

// predictImages answers /v1/predict.
func (s *Server) predictImages(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := Answer{Model: s.c.Name, Predictions: []Predicted{}}
	a, err := s.parse(r.URL.Query(), "top", "threshold", "faces", "evidence")
	if err == nil {
		err = s.answer(w, r, a, &out)
	}
	if err != nil {
		refuse(w, s.faultOf(err))
		return
	}
	out.Seconds = time.Since(start).Seconds()
	s.tell(w, PredictSchema, out)
}

// answer receives the images and classifies them.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a asked, out *Answer) error {
	list, release, err := s.receive(w, r, a.wish)
	defer release()
	if err != nil {
		return err
	}
	if a.evidence {
		if !s.looks.TryAcquire(1) {
			return tooMuch("others wait for evidence")
		}
		defer s.looks.Release(1)
	}
	told, err := ask(r.Context(), s.predict, list)
	if err != nil {
		return err
	}
	for _, u := range list {
		n := len(u.Images)
		probs := slices.Concat(told[:n]...)
		told = told[n:]
		for _, p := range s.c.Model.Predictions(u.Item, probs, a.threshold) {
			if a.top > 0 {
				p.Scores = p.Scores[:min(a.top, len(p.Scores))]
			}
			if p.Error != "" && u.Err == nil {
				return errors.New(p.Error)
			}
			one := Predicted{Prediction: p, Width: u.photo.W, Height: u.photo.H}
			if a.evidence {
				if err := s.evidence(r.Context(), u.photo, &one); err != nil {
					return err
				}
			}
			out.Predictions = append(out.Predictions, one)
		}
	}
	for _, u := range list {
		if err := s.keep(u); err != nil {
			return err
		}
	}
	return nil
}

// evidence adds where the image shows its class; of models without it there is none.
func (s *Server) evidence(ctx context.Context, photo preprocess.Image, p *Predicted) error {
	e, seen, err := s.c.Watcher.Evidence(ctx, photo)
	if errors.Is(err, show.ErrNoEvidence) {
		p.EvidenceError = err.Error()
		return nil
	}
	if err == nil {
		p.Evidence, p.Seen = e, &seen
	}
	return err
}

// ask has a batcher answer for all images of the uploads, in their order.
func ask[T any](ctx context.Context, b *batcher[T], list []upload) ([]T, error) {
	var images []preprocess.Image
	for _, u := range list {
		images = append(images, u.Images...)
	}
	return b.ask(ctx, images)
}
