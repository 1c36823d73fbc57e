package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"graft/finetune/model"
	"graft/finetune/ship"
	"graft/finetune/train"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/vit"
)

// TestFromPhotosToAnswers makes a model of drawn faces by way of the packages that docs/api.md names, and asks it, as a
// file and over HTTP.
func TestFromPhotosToAnswers(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	network := makeModel(ctx, t, dir)
	photos, err := filepath.Glob(filepath.Join(dir, "photos/test/happy/*.png"))
	if err != nil || len(photos) == 0 {
		t.Fatal("no photographs", err)
	}
	photo := photos[0]
	want, err := classify(ctx, network, photo)
	if err != nil || len(want.Scores) != 7 {
		t.Fatalf("%+v, %v", want, err)
	}
	p, err := model.Open(ctx, network, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	body, err := os.ReadFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	h := handler(p)
	answer := ask(h, body)
	var got map[string]float32
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || len(got) != 7 {
		t.Fatalf("status %d: %s, %v", answer.Code, answer.Body, err)
	}
	for _, s := range want.Scores {
		if d := math.Abs(float64(got[s.Label] - s.Probability)); !(d <= 1e-6) {
			t.Errorf("%s: %v over HTTP, %v of the file", s.Label, got[s.Label], s.Probability)
		}
	}
	for status, body := range map[int][]byte{
		http.StatusBadRequest:            []byte("no image"),
		http.StatusRequestEntityTooLarge: append(bytes.Clone(body[:33]), make([]byte, maxUpload)...),
	} {
		if got := ask(h, body); got.Code != status {
			t.Errorf("%d bytes: status %d, %s; want %d", len(body), got.Code, got.Body, status)
		}
	}
}

func ask(h http.Handler, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	return w
}

// makeModel trains a head on a small random backbone, and ships both as one file.
func makeModel(ctx context.Context, t *testing.T, dir string) string {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	net, err := vit.RandomConfig(vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 1, Heads: 4, MLP: 64, Eps: 1e-6}, 1)
	fatal(err)
	fatal(net.Export(ctx, at("backbone.onnx"), vit.ExportOptions{Version: "example"}))
	data, err := dataset.Open(ctx, dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 5}, nil)
	fatal(err)
	defer data.Close()
	fatal(dataset.Convert(ctx, data, at("photos"), nil))
	backbone, err := pretrained.Open(ctx, at("backbone.onnx"), pretrained.Options{})
	fatal(err)
	defer backbone.Close()
	_, err = extract.Run(ctx, extract.Config{Data: data, Backbone: backbone, Out: at("embeddings")}, nil)
	fatal(err)
	_, err = train.Head(ctx, train.HeadConfig{Embeddings: at("embeddings"), Out: at("run"), Seed: 1}, train.Observer{})
	fatal(err)
	_, err = ship.Export(ctx, ship.Config{Run: at("run"), Out: at("faces.onnx")})
	fatal(err)
	return at("faces.onnx")
}
