package load

import (
	"fmt"
	"slices"
	"strings"

	"graft/finetune/run"
	"graft/pretrained/store"
)

// checkStore refuses a store whose features the head was not trained for.
func checkStore(r *run.Run, s *store.Store) error {
	m := s.Manifest()
	var diff []string
	differ := func(what string, had, wants any) {
		if had != wants {
			diff = append(diff, fmt.Sprintf("\n  %s: the store has %v, the run wants %v", what, had, wants))
		}
	}
	b := r.Config.Backbone
	differ("backbone (SHA-256)", m.Backbone.SHA256, b.SHA256)
	differ("preprocessing", m.Backbone.Preprocessing, b.Preprocessing)
	differ("classes", strings.Join(s.Classes(), ", "), strings.Join(r.Config.Classes, ", "))
	for _, tap := range r.Config.Head.Taps {
		differ("tap "+tap, tapWidth(m, tap), fmt.Sprintf("%d features", b.Dims[tap]))
	}
	if r.Config.Head.UseFlip && !s.HasFlip() {
		differ("mirrored features", "none", "them, for averaging (graft extract --flip)")
	}
	if len(diff) > 0 {
		return fmt.Errorf("store %s does not fit run %s:%s", s.Dir(), r.Dir, strings.Join(diff, ""))
	}
	return nil
}

func tapWidth(m store.Manifest, name string) string {
	at := slices.IndexFunc(m.Taps, func(t store.Tap) bool { return t.Name == name })
	if at < 0 {
		return "no such tap"
	}
	return fmt.Sprintf("%d features", m.Taps[at].Dim)
}

// openStore opens the store at path, or the one that the run was trained on.
func openStore(r *run.Run, path string) (*store.Store, error) {
	own := path == ""
	if own {
		path = r.Config.Embeddings.Path
	}
	s, err := store.Open(path)
	if err != nil && own && !exists(path) {
		return nil, fmt.Errorf("the embeddings that run %s was trained on are not at %s any more; name a store with --embeddings", r.Dir, path)
	}
	if err != nil {
		return nil, err
	}
	return s, checkStore(r, s)
}
