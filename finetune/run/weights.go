package run

import (
	"fmt"
	"path/filepath"

	"graft/finetune/nets"
	"graft/internal/schema"
	"graft/pretrained/checkpoint"
)

// writeWeights writes a network's weights under PyTorch's names and layouts.
func writeWeights(path string, net nets.Net, weights map[string][]float32) error {
	list, err := nets.Tensors(net, weights)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return checkpoint.WriteSafetensors(path, list, map[string]string{schema.Key: "graft-weights-1"})
}

// readWeights reads model.safetensors strictly: a missing, unexpected or
// misshapen tensor and a number that is not finite are errors that name it.
func readWeights(dir string, net nets.Net) (map[string][]float32, error) {
	path := filepath.Join(dir, weightsFile)
	f, err := checkpoint.Open(path, checkpoint.Whole)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	weights, err := nets.Load(f, net)
	if err != nil {
		return nil, err
	}
	for i, s := range weights[nets.FeatureStd] {
		if !(s > 0) {
			return nil, fmt.Errorf("%s: tensor %q: element %d is %g, want more than 0", path, nets.FeatureStd, i, s)
		}
	}
	return weights, nil
}
