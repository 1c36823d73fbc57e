package finetune

import (
	"fmt"
	"path/filepath"

	"graft/internal/filehash"
	"graft/pretrained/store"
)

// besideStore lists where a store's backbone is looked for: stores and models
// of one job tend to lie together. A file counts only if its hash is right.
func besideStore(s *store.Store, name string) []string {
	dir := absolute(s.Dir())
	return []string{filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), name), name}
}

// modelPlaces lists where a run's backbone is looked for.
func (r *Run) modelPlaces() []string {
	recorded := r.Config.Backbone.Model
	name, dir := filepath.Base(recorded), absolute(r.Dir)
	return []string{recorded, filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), name),
		filepath.Join(filepath.Dir(r.Config.Embeddings.Path), name), name}
}

// findModel returns path after checking its hash, or without a path the first
// of places that holds the file with the hash.
func findModel(path, hash string, places []string) (string, error) {
	if path != "" {
		got, err := filehash.File(path)
		if err != nil {
			return "", err
		}
		if got != hash {
			return "", fmt.Errorf("model %s: SHA-256 %s, the embeddings were made with %s", path, got, hash)
		}
		return path, nil
	}
	for _, p := range places {
		if got, err := filehash.File(p); err == nil && got == hash {
			return p, nil
		}
	}
	return "", fmt.Errorf("the backbone (SHA-256 %s) is not at %s; say where it is with --model", hash, places[0])
}
