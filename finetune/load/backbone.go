package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/finetune/run"
	"graft/pretrained"
	"graft/pretrained/store"
)

// BackboneOf finds the ONNX file that a store's features are of, given or beside
// the store: stores and models of one job tend to lie together.
func BackboneOf(ctx context.Context, s *store.Store, given string) (*pretrained.File, error) {
	b, dir := s.Manifest().Backbone, run.Absolute(s.Dir())
	return findModel(ctx, given, b.SHA256, []string{filepath.Join(dir, b.Name), filepath.Join(filepath.Dir(dir), b.Name), b.Name})
}

// Backbone finds the ONNX file of a head's backbone, given, or where the run
// says, or beside the run or its embeddings.
func Backbone(ctx context.Context, r *run.Run, given string) (*pretrained.File, error) {
	recorded := r.Config.Backbone.Model
	name, dir := filepath.Base(recorded), run.Absolute(r.Dir)
	return findModel(ctx, given, r.Config.Backbone.SHA256, []string{recorded, filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), name),
		filepath.Join(filepath.Dir(r.Config.Embeddings.Path), name), name})
}

// findModel returns the file at given after checking its hash, or where none is given
// the first of places that has the hash.
func findModel(ctx context.Context, given, hash string, places []string) (*pretrained.File, error) {
	if given != "" {
		places = []string{given}
	}
	var failed []error
	for i, p := range places {
		places[i] = run.Absolute(p)
		if slices.Contains(places[:i], places[i]) {
			continue // looked at already
		}
		f, err := pretrained.OpenFile(p)
		got := ""
		if err == nil {
			got, err = f.Hash(ctx)
		}
		switch {
		case got == hash:
			return f, nil
		case err == nil:
			err = fmt.Errorf("model %s: SHA-256 %s, the embeddings were made with %s", p, got, hash)
		case given == "" && errors.Is(err, os.ErrNotExist):
			continue
		}
		failed = append(failed, err)
	}
	if given != "" {
		return nil, failed[0]
	}
	return nil, errors.Join(append(failed, fmt.Errorf("the backbone (SHA-256 %s) is not at %s; say where it is with --model", hash, places[0]))...)
}
