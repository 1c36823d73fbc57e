// Package run is what a training leaves behind: a folder, its files and their formats.
//
//	config.json              every setting, seeds, hashes of the inputs, versions
//	model.safetensors        the weights by the names of package nets: PyTorch's names and layouts
//	last.safetensors         the last weights, where the best ones of a hold-out were kept
//	history.csv              epoch, train loss, validation loss and accuracy, seconds
//	metrics.json             one report for each split that was not trained on
//	predictions-<split>.csv  index, id, label, predicted class, probability of each class, group, clean
//	predictions-holdout.csv  the same of the rows of train that were held out, if any
//	seen.parquet             key, print, group of every image that it was trained or chosen on (package duplicate)
//	checkpoint.safetensors   only while a training by gradient descent is under way: it goes on from there
//
// Several runs of one setting lie below one folder, with a summary.json of all; see Summary.
package run

import (
	"fmt"
	"os"
	"path/filepath"

	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/internal/schema"
	"graft/preprocess/duplicate"
	"graft/pretrained/checkpoint"
)

// Run is a finished run: its settings and its trained model.
type Run struct {
	Dir     string
	Config  Config
	Weights map[string][]float32 // by the names of Config.Net's weights
}

// Open reads a run folder. The weights are read strictly: a missing, unexpected
// or misshapen tensor is an error that names it.
func Open(dir string) (*Run, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	w, err := readWeights(dir, c.Net)
	if err != nil {
		return nil, err
	}
	return &Run{Dir: dir, Config: c, Weights: w}, nil
}

// Results are what a run's folder holds beside its settings and its weights.
type Results struct {
	History []fit.Epoch          // of the training
	Reports []metrics.Report     // of the splits that were not trained on
	Last    map[string][]float32 // the last weights, where others were kept; else nil
	Seen    []duplicate.Content  // the images that it was trained or chosen on, nil where they are not known
}

// Save writes the folder of a training: config.json last, and only then goes
// the checkpoint.
func (r *Run) Save(s Results) error {
	if s.Last != nil {
		if err := writeWeights(filepath.Join(r.Dir, lastFile), r.Config.Net, s.Last); err != nil {
			return err
		}
	}
	if err := writeHistory(r.Dir, s.History); err != nil {
		return err
	}
	if s.Seen != nil {
		if err := writeSeen(r.Dir, s.Seen); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(r.Dir, metricsFile), metrics.Schema, s.Reports); err != nil {
		return err
	}
	if err := r.SaveModel(); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(r.Dir, CheckpointFile)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("run folder: %w", err)
	}
	return nil
}

// SaveModel writes the weights and then config.json, all that a run needs: a
// folder with a config.json is a finished run.
func (r *Run) SaveModel() error {
	if err := writeWeights(filepath.Join(r.Dir, weightsFile), r.Config.Net, r.Weights); err != nil {
		return err
	}
	return writeJSON(filepath.Join(r.Dir, configFile), runFormat, r.Config)
}

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
