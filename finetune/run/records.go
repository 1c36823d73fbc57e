package run

import (
	"cmp"
	"errors"
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
)

// Config is a run's config.json.
type Config struct {
	Format string `json:"format"`
	Kind   string `json:"kind"` // what was trained: head, cnn, vit or backbone
	Program
	Go       string   `json:"go_version"`
	Platform string   `json:"platform"` // GOOS/GOARCH
	Seed     uint64   `json:"seed"`
	Notes    []string `json:"notes,omitempty"` // what a reader of the results must know, a sentence each
	Classes  []string `json:"classes"`         // in the order of the model's outputs
	Fold     string   `json:"fold,omitempty"`  // of train, which was left out and is judged as a split of that name

	Net        nets.Net         `json:"model"`               // the network by its options
	Training   *TrainingRecord  `json:"training,omitempty"`  // by gradient descent; nil for others and for imported weights
	Imported   *ImportRecord    `json:"imported,omitempty"`  // of weights that were not trained here
	Pixels     *PixelsRecord    `json:"pixels,omitempty"`    // of a cnn or vit
	Head       HeadRecord       `json:"head,omitzero"`       // of a head or a tuned backbone, as the next two
	Embeddings EmbeddingsRecord `json:"embeddings,omitzero"` //
	Backbone   BackboneRecord   `json:"backbone,omitzero"`   //
	Dataset    DatasetRecord    `json:"dataset,omitzero"`

	// Temperature is what logits are divided by before the softmax; 0, of runs that do not say, is 1. See SoftmaxTemperature.
	Temperature float64            `json:"temperature,omitempty"`
	Calibration *CalibrationRecord `json:"calibration,omitempty"` // what it was fitted on; nil: nothing was held out
}

// Parameters is how many numbers were trained.
func (c Config) Parameters() int { return nets.Parameters(c.Net) }

// Program is what made a run.
type Program struct {
	Version string `json:"graft_version"`
	Command string `json:"command,omitempty"` // as it was typed; empty where a program called the packages
}

// CalibrationRecord is how a temperature came about.
type CalibrationRecord struct {
	Rows         int     `json:"rows"` // of train, held out
	Loss         float64 `json:"loss"` // of their cross-entropy in nats
	Uncalibrated float64 `json:"uncalibrated_loss"`
}

// SoftmaxTemperature is what logits are divided by before the softmax.
func (c Config) SoftmaxTemperature() float64 { return cmp.Or(c.Temperature, 1) }

// TrainingRecord is how a network was trained.
type TrainingRecord struct {
	Recipe string `json:"recipe"`
	fit.Config
	Augment     augment.Pipeline `json:"augment"`
	LogitAdjust float64          `json:"logit_adjust,omitempty"` // τ of the logit-adjusted loss
	SoftLabels  float64          `json:"soft_labels"`            // share of FER+'s votes in the targets
	Holdout     float64          `json:"holdout"`                // share of train held out
	Validation  string           `json:"validation"`             // split that was watched, or what else
	Samples     int              `json:"train_samples"`
	Epoch       int              `json:"epoch"` // that the weights are of
}

// ImportRecord is where imported weights came from.
type ImportRecord struct {
	File      string   `json:"file"`
	SHA256    string   `json:"sha256"`
	Key       string   `json:"key,omitempty"`        // of the state dict in the file
	OtherKeys []string `json:"other_keys,omitempty"` // of those that were not taken
}

// The recipes.
const (
	// RecipeLBFGS, of heads, standardises the features on train and fits a
	// multinomial logistic regression by L-BFGS, its strength chosen on a
	// stratified tenth of train and then refitted on all of it.
	RecipeLBFGS = "lbfgs"
	// RecipeStudy is the study's: Adam at 1e-4, batches of 32, 10 epochs,
	// watched on public-test. A head is one linear layer on the features as
	// they are; cnn and vit see pixels in 0…1, resized from 48 to 32.
	RecipeStudy = "study"
	// RecipeStrong is ours.
	RecipeStrong = "strong"
)

// HeadRecord is how the head was trained.
type HeadRecord struct {
	Recipe       string             `json:"recipe"`
	Taps         []string           `json:"taps"` // concatenated in this order
	Dim          int                `json:"dim"`  // of the concatenated features
	Standardize  bool               `json:"standardize"`
	UseFlip      bool               `json:"use_flip"`
	GroupBy      string             `json:"group_by,omitempty"` // a pattern, see Store.GroupBy
	ClassWeights string             `json:"class_weights"`
	LogitAdjust  float64            `json:"logit_adjust,omitempty"` // τ of the logit-adjusted loss
	Settings     map[string]float64 `json:"settings,omitempty"`     // the recipe's own numbers
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
	Model         string          `json:"model"`  // path of the ONNX file
	SHA256        string          `json:"sha256"` // of the ONNX file
	Arch          string          `json:"arch,omitempty"`
	Source        string          `json:"source,omitempty"` // the checkpoint's file, or random:SEED
	SourceSHA256  string          `json:"source_sha256,omitempty"`
	Pretrained    *bool           `json:"pretrained,omitempty"` // see Pretrained
	Parameters    int64           `json:"parameters,omitempty"` // of the whole network; 0 where they are not known
	Precision     string          `json:"precision"`
	Preprocessing preprocess.Spec `json:"preprocessing"`
	Dims          map[string]int  `json:"tap_dims"` // of the taps in use
	Before        *BeforeRecord   `json:"before,omitempty"`
}

// BeforeRecord tells which file of the backbone's network ran before the part that trained, where it was another one.
type BeforeRecord struct {
	Model     string `json:"model"`
	SHA256    string `json:"sha256"`
	Precision string `json:"precision"`
}

// DatasetRecord tells which images were used.
type DatasetRecord struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Limit       int    `json:"limit,omitempty"` // samples per split, 0 for all
	// LeftOut are the bad entries that --skip-bad left out, with the reason of each.
	LeftOut []dataset.Bad `json:"left_out,omitempty"`
	// Where a cnn's or vit's images lie; a head's are in its embeddings.
	dataset.Ref
}

// How pixels come to a network's size.
const (
	FitResize = "resize" // antialiased, as preprocess.ResizeAntialias
	FitCrop   = "crop"   // cut out of the middle
)

// PixelsRecord is how images become a network's input.
type PixelsRecord struct {
	Side   int    `json:"side"`   // images are side×side; others are made so first
	Fit    string `json:"fit"`    // how they come to the network's size: FitResize or FitCrop
	Mirror bool   `json:"mirror"` // logits are the mean over the image and its mirror image
}

// Check wants images that come to the network's input [C,H,W].
func (p *PixelsRecord) Check(shape []int) error {
	switch {
	case p == nil:
		return errors.New("nothing is said about pixels")
	case len(shape) != 3 || shape[1] != shape[2]:
		return fmt.Errorf("the network's input is %v, want square images", shape)
	case p.Side < 1 || p.Side > preprocess.MaxSide:
		return fmt.Errorf("images of %d pixels a side, want 1 to %d", p.Side, preprocess.MaxSide)
	case p.Fit != FitResize && p.Fit != FitCrop:
		return fmt.Errorf("fit %q, want %s or %s", p.Fit, FitResize, FitCrop)
	case p.Fit == FitCrop && p.Side < shape[1]:
		return fmt.Errorf("the network's input of %d pixels a side cannot be cut out of images of %d", shape[1], p.Side)
	case shape[0] != 1 && shape[0] != 3:
		return fmt.Errorf("images of %d channels, want 1 or 3", shape[0])
	}
	return nil
}

// Kept is the side that images are kept with, before a crop.
func (p PixelsRecord) Kept(shape []int) int {
	if p.Fit == FitResize {
		return shape[1]
	}
	return p.Side
}
