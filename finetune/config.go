package finetune

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/internal/atomicfile"
	"graft/preprocess/augment"
)

// runFormat marks config.json as a run's; it changes when older programs could
// misread what newer ones write.
const runFormat = "graft-run-1"

// Config is a run's config.json.
type Config struct {
	Format   string   `json:"format"`
	Kind     string   `json:"kind"` // what was trained: head, cnn or vit
	Version  string   `json:"graft_version"`
	Go       string   `json:"go_version"`
	Platform string   `json:"platform"` // GOOS/GOARCH
	Seed     uint64   `json:"seed"`
	Notes    []string `json:"notes,omitempty"` // what a reader of the results must know, a sentence each
	Classes  []string `json:"classes"`         // in the order of the model's outputs

	Model      json.RawMessage  `json:"model"`               // the network's options, as nets.New takes them
	Training   *TrainingRecord  `json:"training,omitempty"`  // by gradient descent; nil for others and for imported weights
	Imported   *ImportRecord    `json:"imported,omitempty"`  // of weights that were not trained here
	Pixels     *PixelsRecord    `json:"pixels,omitempty"`    // of a cnn or vit
	Head       HeadRecord       `json:"head,omitzero"`       // of a head, as the next two
	Embeddings EmbeddingsRecord `json:"embeddings,omitzero"` //
	Backbone   BackboneRecord   `json:"backbone,omitzero"`   //
	Dataset    DatasetRecord    `json:"dataset,omitzero"`
}

// TrainingRecord is how a network was trained.
type TrainingRecord struct {
	Recipe string `json:"recipe"`
	fit.Config
	Augment    augment.Pipeline `json:"augment"`
	SoftLabels float64          `json:"soft_labels"` // share of FER+'s votes in the targets
	Holdout    float64          `json:"holdout"`     // share of train held out
	Validation string           `json:"validation"`  // split that was watched, or what else
	Samples    int              `json:"train_samples"`
	Epoch      int              `json:"epoch"` // that the weights are of
}

// ImportRecord is where imported weights came from.
type ImportRecord struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// PixelsRecord is how images become a network's input.
type PixelsRecord struct {
	Side   int    `json:"side"`   // images are side×side; others are made so first
	Fit    string `json:"fit"`    // how they come to the network's size: resize or crop
	Mirror bool   `json:"mirror"` // logits are the mean over the image and its mirror image
}

// HeadRecord is how the head was trained.
type HeadRecord struct {
	Recipe       string             `json:"recipe"`
	Taps         []string           `json:"taps"` // concatenated in this order
	Dim          int                `json:"dim"`  // of the concatenated features
	Standardize  bool               `json:"standardize"`
	UseFlip      bool               `json:"use_flip"`
	ClassWeights string             `json:"class_weights"`
	Settings     map[string]float64 `json:"settings,omitempty"` // the recipe's own numbers
	Lambda       *float64           `json:"lambda,omitempty"`
	LambdaFrom   string             `json:"lambda_from,omitempty"` // given, or holdout
	Tried        []Strength         `json:"lambda_tried,omitempty"`
	Samples      int                `json:"train_samples"` // rows trained on, mirrored ones included
}

// Strength is one strength of regularisation that was tried on the hold-out of
// train.
type Strength struct {
	Lambda   float64 `json:"lambda"`
	Loss     float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"`
}

// EmbeddingsRecord tells which features were trained on.
type EmbeddingsRecord struct {
	Path           string         `json:"path"`
	ManifestSHA256 string         `json:"manifest_sha256"`
	DType          string         `json:"dtype"`
	Provider       string         `json:"provider"` // what computed them
	Runtime        string         `json:"onnxruntime_version"`
	Rows           map[string]int `json:"rows"` // per split
}

// BackboneRecord tells where the features came from.
type BackboneRecord struct {
	Model         string         `json:"model"`  // path of the ONNX file
	SHA256        string         `json:"sha256"` // of the ONNX file
	Arch          string         `json:"arch,omitempty"`
	Source        string         `json:"source,omitempty"` // the checkpoint's file, or random:SEED
	SourceSHA256  string         `json:"source_sha256,omitempty"`
	Pretrained    bool           `json:"pretrained"`
	Precision     string         `json:"precision"`
	Preprocessing string         `json:"preprocessing"`
	Dims          map[string]int `json:"tap_dims"` // of the taps in use
}

// DatasetRecord tells which images were used.
type DatasetRecord struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Limit       int    `json:"limit,omitempty"` // samples per split, 0 for all
	// Where a cnn's or vit's images lie; a head's are in its embeddings.
	DataOptions
}

// randomNote is what outputs say of a backbone whose source is random:SEED, and
// empty for any other.
func randomNote(source string) string {
	seed, ok := strings.CutPrefix(source, "random:")
	if !ok {
		return ""
	}
	return fmt.Sprintf("No pretrained weights were used: the backbone's weights were drawn at random (seed %s). Its accuracy says nothing about a pretrained one.", seed)
}

// writeConfig is the last step of a run: a folder with a config.json is a
// finished run.
func writeConfig(dir string, c Config) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, configFile), append(data, '\n'))
}

// maxConfig bounds config.json; a thousand classes and 4,992 features come to a
// few dozen kilobytes.
const maxConfig = 16 << 20

// readConfig reads and checks dir's config.json.
func readConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	var c Config
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return c, fmt.Errorf("%s is a file, want a run's folder", dir)
	}
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return c, fmt.Errorf("%s is no run folder: it has no %s (graft train writes one when it is done)", dir, configFile)
	}
	if err != nil {
		return c, err
	}
	if info.Size() > maxConfig {
		return c, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), maxConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if c, err = parseConfig(data); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	var model bytes.Buffer
	if err := json.Compact(&model, c.Model); err != nil {
		return c, fmt.Errorf("model: %w", err)
	}
	c.Model = model.Bytes()
	return c, c.check()
}

// maxFeatures caps the width of a tap and of a head, and the number of classes,
// that a config.json may claim.
const maxFeatures = 1 << 20

// check refuses what later code would trip over.
func (c Config) check() error {
	switch {
	case c.Format != runFormat:
		return fmt.Errorf("format %q, this program reads %q", c.Format, runFormat)
	case !slices.Contains(kinds, c.Kind):
		return fmt.Errorf("a run of kind %q, this program knows %s", c.Kind, strings.Join(kinds, ", "))
	case len(c.Classes) < 2 || len(c.Classes) > maxFeatures:
		return fmt.Errorf("%d classes, want 2 to %d", len(c.Classes), maxFeatures)
	}
	net, err := c.network()
	if err != nil {
		return err
	}
	if net.Classes() != len(c.Classes) {
		return fmt.Errorf("the model has %d outputs for %d classes", net.Classes(), len(c.Classes))
	}
	if c.Kind == nets.KindHead {
		return c.checkHead(net.InputShape()[0])
	}
	return c.Pixels.check(net.InputShape())
}

var kinds = []string{nets.KindHead, nets.KindCNN, nets.KindViT}

// network is the model without its weights.
func (c Config) network() (nets.Net, error) { return nets.New(c.Kind, c.Model) }

// checkHead wants the taps to make up the network's features.
func (c Config) checkHead(features int) error {
	if len(c.Head.Taps) == 0 {
		return errors.New("no taps, want at least one")
	}
	sum := 0
	for _, t := range c.Head.Taps {
		d := c.Backbone.Dims[t]
		if d < 1 || d > maxFeatures {
			return fmt.Errorf("tap %q has %d features, want 1 to %d", t, d, maxFeatures)
		}
		sum += d
	}
	if sum != c.Head.Dim || sum != features {
		return fmt.Errorf("taps %s have %d features together, the head wants %d and its model %d", strings.Join(c.Head.Taps, ","), sum, c.Head.Dim, features)
	}
	return nil
}
