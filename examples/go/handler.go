package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"

	"graft/finetune/model"
	"graft/preprocess"
)

// maxUpload bounds an image file, in bytes.
const maxUpload = 16 << 20

// handler answers a POST with an image file as its body by the probability of each class, as JSON. Several requests may
// run at once, as a Predictor may be shared. (`graft serve` does more: batches, limits, a page.)
func handler(p *model.Predictor) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		im, err := preprocess.Decode(r.Context(), http.MaxBytesReader(w, r.Body, maxUpload))
		switch {
		case errors.As(err, new(*http.MaxBytesError)):
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		probabilities, err := p.Image(r.Context(), im)
		if err != nil {
			log.Print(err) // the model's fault, not the caller's
			http.Error(w, "the image could not be classified", http.StatusInternalServerError)
			return
		}
		answer := map[string]float32{}
		for i, label := range p.Labels() {
			answer[label] = probabilities[i]
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // the caller may have gone
	})
	return mux
}
