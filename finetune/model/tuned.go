package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx"
)

// Head is the network of a run's head with its weights: all of a head's run, what stands behind the backbone of one that
// was tuned.
func Head(r *run.Run) (nets.Net, map[string][]float32) {
	if t, ok := r.Config.Net.(nets.Tail); ok {
		return t.Head, t.HeadWeights(r.Weights)
	}
	return r.Config.Net, r.Weights
}

// Tune gives a backbone's model the weights that a run has learned; of a run whose backbone is frozen it stays as it is.
// Whatever was not learned stays as it lies in the file.
func Tune(r *run.Run, m *onnx.Model) error {
	t, ok := r.Config.Net.(nets.Tail)
	if !ok {
		return nil
	}
	if err := t.Fold(m, r.Weights); err != nil {
		return fmt.Errorf("run %s: %w", r.Dir, err)
	}
	return nil
}

// hashOf tells weights from others: SHA-256 of their names and values.
func hashOf(weights map[string][]float32) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		fmt.Fprintf(h, "%q %d ", name, len(weights[name]))
		_, _ = onnx.Float32s(weights[name]).WriteTo(h) // a hash takes all
	}
	return hex.EncodeToString(h.Sum(nil))
}
