package vit

import (
	"fmt"

	"graft/preprocess"
)

// Preprocess is what a checkpoint was trained to see: pixels in [0,1],
// normalised, and the part of a photograph that is kept.
type Preprocess struct {
	preprocess.Normalization
	CropPct float64 // side of the centre crop over the shorter side of the resized photograph, (0,1]
	// Interpolation is the resize of the publisher's own pipeline, bilinear or
	// bicubic, "" where it is not known. graft's graph resizes bilinearly.
	Interpolation string
}

// Model is a vision transformer whose weights are read when they are needed.
type Model struct {
	Config     Config
	Preprocess Preprocess
	Source     string   // base name of the file, or random:SEED
	SHA256     string   // of the file, lower-case hex; empty for a random model
	Family     string   // whose tensor names: torchvision, timm, huggingface, …
	Notes      []string // what was assumed, a sentence each, for people to read

	key       string            // of the state dict in the file
	otherKeys []string          // of those that were not taken
	size      inputSize         // as it was stated
	assumed   string            // the one of Notes that tells the preprocessing
	usual     int               // side of the input that the publisher's own pipeline makes; 0 is unknown
	weights   map[string]weight // by graft's name
	resample  resampling
	positions weight // as the checkpoint has them,
	trained   Config // for the input that it was trained with
}

// weight is one tensor of the layout.
type weight struct {
	shape []int
	read  func() ([]float32, error) // a fresh slice each time, row-major
}

// tensor reads one tensor by graft's name.
func (m *Model) tensor(name string) ([]float32, error) {
	w, ok := m.weights[name]
	if !ok {
		return nil, fmt.Errorf("%s: the model has no tensor %q", m.Source, name)
	}
	v, err := w.read()
	if err != nil {
		return nil, err // names the file and its tensor
	}
	if len(v) != elements(w.shape) {
		return nil, fmt.Errorf("%s: tensor %q: want %v = %d numbers, got %d", m.Source, name, w.shape, elements(w.shape), len(v))
	}
	return v, nil
}

// taps names the features that Export writes, in order. After the final norm:
// cls, the class token; pool, the result of attention pooling; mean, over the
// patches; dist, DeiT's distillation token; proj, CLIP's projection of cls.
// Then cls_k and mean_k after block k = 1…depth. Each is [N,Width], proj
// [N,Projection]. A network without a class token (SigLIP) has no cls and cls_k.
func (c Config) taps() []string {
	var taps []string
	add := func(there bool, name string) {
		if there {
			taps = append(taps, name)
		}
	}
	add(!c.NoClass, "cls")
	add(c.AttnPool, "pool")
	add(true, "mean")
	add(c.Distilled, "dist")
	add(c.Projection > 0, "proj")
	for k := 1; k <= c.Depth; k++ {
		add(!c.NoClass, fmt.Sprintf("cls_%d", k))
		add(true, fmt.Sprintf("mean_%d", k))
	}
	return taps
}

// tapWidth is how many numbers a tap has.
func (c Config) tapWidth(tap string) int {
	if tap == "proj" {
		return c.Projection
	}
	return c.Width
}
