package serve

import (
	"net/http"
	"time"

	"graft/finetune/model"
)

// Embedded are an image's features.
type Embedded struct {
	Image    string    `json:"image"`
	Features []float32 `json:"features,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// Embeddings is the answer of /v1/embed.
type Embeddings struct {
	Model   string          `json:"model"`
	Taps    []model.Feature `json:"taps"`
	Images  []Embedded      `json:"images"`
	Seconds float64         `json:"seconds"`
}

// features are the model's, none where there are none.
func (s *Server) features() []model.Feature {
	if e := s.c.Model.Embedder(); e != nil {
		return e.Features()
	}
	return []model.Feature{}
}

// embedImages answers /v1/embed.
func (s *Server) embedImages(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := Embeddings{Model: s.c.Name, Taps: s.features(), Images: []Embedded{}}
	err := func() error {
		if len(out.Taps) == 0 {
			return faultf(http.StatusNotFound, "the model has no features of its own: it is no head on a backbone")
		}
		if _, err := s.parse(r.URL.Query()); err != nil {
			return err
		}
		list, release, err := s.receive(w, r, wish{})
		defer release()
		if err != nil {
			return err
		}
		rows, err := ask(r.Context(), s.embed, list)
		if err != nil {
			return err
		}
		for _, u := range list {
			e := Embedded{Image: u.Name}
			if u.Err != nil {
				e.Error = u.Err.Error()
			} else {
				e.Features, rows = rows[0], rows[1:]
			}
			out.Images = append(out.Images, e)
		}
		return nil
	}()
	if err != nil {
		refuse(w, s.faultOf(err))
		return
	}
	out.Seconds = time.Since(start).Seconds()
	s.tell(w, EmbedSchema, out)
}
