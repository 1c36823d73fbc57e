package finetune

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"graft/finetune/nets"
)

// newConfig is what every config.json begins with.
func newConfig(kind, version string, seed uint64, classes []string) Config {
	return Config{Format: runFormat, Kind: kind, Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Seed: seed, Classes: classes}
}

// setNetwork records the network and its weights.
func (r *Run) setNetwork(net nets.Net, weights map[string][]float32) (err error) {
	r.Net, r.Weights = net, weights
	r.Config.Model, err = json.Marshal(net)
	return err
}

// save completes a run with what was learned, judges it on all splits of s that
// were not trained on, and writes its folder: config.json last, and only then
// goes the checkpoint.
func (r *Run) save(ctx context.Context, f fitted, s source, threads int) (Result, error) {
	if err := r.setNetwork(f.net, f.weights); err != nil {
		return Result{}, err
	}
	r.Config.Notes = append(r.Config.Notes, f.notes...)
	r.Config.Training = f.training
	reports, err := r.evaluate(ctx, s, s.splits().heldOut(), r.Dir, threads)
	if err != nil {
		return Result{}, err
	}
	for _, write := range []func() error{
		func() error { return writeWeights(filepath.Join(r.Dir, weightsFile), r.Net, r.Weights) },
		func() error { return r.writeLast(f.last) },
		func() error { return writeHistory(r.Dir, f.history) },
		func() error { return writeMetrics(r.Dir, reports) },
		func() error { return writeConfig(r.Dir, r.Config) },
		func() error { return removeIfThere(filepath.Join(r.Dir, checkpointFile)) },
	} {
		if err := write(); err != nil {
			return Result{}, err
		}
	}
	return Result{Run: r, Reports: reports}, nil
}

// writeLast keeps the last weights beside the best.
func (r *Run) writeLast(weights map[string][]float32) error {
	if weights == nil {
		return nil
	}
	return writeWeights(filepath.Join(r.Dir, lastFile), r.Net, weights)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("run folder: %w", err)
	}
	return nil
}
