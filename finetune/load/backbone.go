package load

import (
	"fmt"
	"path/filepath"

	"graft/finetune/run"
	"graft/onnx"
	"graft/pretrained/store"
)

// BackboneOf finds the ONNX file that a store's features are of, given or beside
// the store: stores and models of one job tend to lie together.
func BackboneOf(s *store.Store, given string) (string, error) {
	b, dir := s.Manifest().Backbone, run.Absolute(s.Dir())
	return findModel(given, b.SHA256, []string{filepath.Join(dir, b.Name), filepath.Join(filepath.Dir(dir), b.Name), b.Name})
}

// Backbone finds the ONNX file of a head's backbone, given, or where the run
// says, or beside the run or its embeddings.
func Backbone(r *run.Run, given string) (string, error) {
	recorded := r.Config.Backbone.Model
	name, dir := filepath.Base(recorded), run.Absolute(r.Dir)
	return findModel(given, r.Config.Backbone.SHA256, []string{recorded, filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), name),
		filepath.Join(filepath.Dir(r.Config.Embeddings.Path), name), name})
}

// findModel returns path after checking its hash, or without a path the first
// of places that holds the file with the hash.
func findModel(path, hash string, places []string) (string, error) {
	if path != "" {
		got, err := onnx.Hash(path)
		if err != nil {
			return "", err
		}
		if got != hash {
			return "", fmt.Errorf("model %s: SHA-256 %s, the embeddings were made with %s", path, got, hash)
		}
		return path, nil
	}
	for _, p := range places {
		if got, err := onnx.Hash(p); err == nil && got == hash {
			return p, nil
		}
	}
	return "", fmt.Errorf("the backbone (SHA-256 %s) is not at %s; say where it is with --model", hash, places[0])
}
