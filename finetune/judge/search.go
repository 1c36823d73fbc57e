package judge

import (
	"context"
	"errors"
	"fmt"

	"graft/finetune/knn"
	"graft/finetune/load"
	"graft/finetune/model"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// SearchConfig says which rows of a store are wanted: those most like an image.
type SearchConfig struct {
	Embeddings string   // the store's folder
	Image      string   // the file
	Model      string   // the backbone's ONNX file, whose hash must be the store's; empty: beside the store
	Taps       []string // words as taps.Resolve takes them; none: all that the store holds
	Split      string   // of the rows; empty: all
	K          int      // rows wanted; where there are fewer, all
	Runtime    session.Options
}

// Found is what Search found.
type Found struct {
	Store string    `json:"store"`
	Image string    `json:"image"`
	Taps  []string  `json:"taps"`
	Rows  int       `json:"rows"` // compared
	Near  []Similar `json:"nearest"`
}

// Similar is a row of the store.
type Similar struct {
	ID     string  `json:"id"`
	Index  int     `json:"index"` // position in the dataset
	Split  string  `json:"split"`
	Label  string  `json:"label"`
	Cosine float32 `json:"cosine"` // of the features, from −1 to 1
}

// Search finds the rows of a store whose features, the taps side by side, have the largest cosines with those of an image,
// the largest first, and of equal ones in the dataset's order. The image goes through the store's own backbone.
func Search(ctx context.Context, c SearchConfig) (f Found, err error) {
	s, err := store.Open(c.Embeddings)
	if err != nil {
		return f, err
	}
	words, err := taps.Resolve("store "+s.Dir(), s.Taps(), c.Taps, taps.All)
	if err != nil {
		return f, err
	}
	f = Found{Store: s.Dir(), Image: c.Image, Taps: words}
	x, err := c.features(ctx, s, words)
	if err != nil {
		return f, err
	}
	m, err := s.Matrix(words, c.Split)
	if err != nil {
		return f, err
	}
	f.Rows = len(m.Labels)
	if f.Rows == 0 {
		return f, fmt.Errorf("store %s: split %s has no rows", s.Dir(), c.Split)
	}
	ix, err := knn.New(m.X, m.Dim, make([]int, f.Rows), 1, c.Runtime.Threads)
	if err != nil {
		return f, fmt.Errorf("store %s: %w", s.Dir(), err)
	}
	near, err := ix.Search(ctx, x, min(c.K, f.Rows), nil)
	if err != nil {
		return f, fmt.Errorf("%s: %w", c.Image, err)
	}
	rows := rowsOf(s, c.Split)
	for i, at := range near.Rows {
		r := rows[at]
		f.Near = append(f.Near, Similar{r.ID, r.Index, r.Split, r.LabelName, near.Similarity[i]})
	}
	return f, nil
}

// rowsOf are the rows that Matrix has of a split.
func rowsOf(s *store.Store, split string) []store.Row {
	var out []store.Row
	for _, r := range s.Rows() {
		if split == "" || r.Split == split {
			out = append(out, r)
		}
	}
	return out
}

// features are the image's by the store's backbone, as the store has them of its rows.
func (c SearchConfig) features(ctx context.Context, s *store.Store, words []string) (x []float32, err error) {
	im, err := model.ReadImage(ctx, c.Image)
	if err != nil {
		return nil, err
	}
	file, err := load.BackboneOf(ctx, s, c.Model)
	if err != nil {
		return nil, err
	}
	want := s.Manifest().Backbone.Preprocessing
	o := pretrained.Options{Runtime: c.Runtime, Taps: words}
	if want.Host {
		o.Foreign = &want
	}
	b, err := file.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if had := b.Preprocessing(); had != want {
		return nil, fmt.Errorf("backbone %s: preprocessing differs from that of store %s:\n  had   %v\n  wants %v", file.Path, s.Dir(), had, want)
	}
	out := make([][]float32, len(words))
	for t, tap := range words {
		out[t] = make([]float32, b.Dim(tap))
	}
	if err := b.Run(ctx, []preprocess.Image{b.Prepare(im)}, words, out); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Image, err)
	}
	for _, values := range out {
		x = append(x, values...)
	}
	return x, nil
}
