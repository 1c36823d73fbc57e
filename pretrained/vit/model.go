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
}

// Model is a vision transformer whose weights are read when they are needed.
type Model struct {
	Config     Config
	Preprocess Preprocess
	Source     string   // base name of the file, or random:SEED
	SHA256     string   // of the file, lower-case hex; empty for a random model
	Family     string   // whose tensor names: torchvision, timm, huggingface
	Notes      []string // what was assumed, a sentence each, for people to read

	assumed  string            // the one of Notes that tells the preprocessing
	weights  map[string]weight // by graft's name
	resample resampling
	trained  positions // as the checkpoint has them
}

// positions is a position embedding [1, 1+grid·grid, width].
type positions struct {
	pos  weight
	grid int
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

// Taps names the features that Export writes, in order: cls and mean after the
// final norm, then cls_k and mean_k after block k = 1…depth. Each is [N,Width].
func (m *Model) Taps() []string {
	taps := []string{"cls", "mean"}
	for k := 1; k <= m.Config.Depth; k++ {
		taps = append(taps, fmt.Sprintf("cls_%d", k), fmt.Sprintf("mean_%d", k))
	}
	return taps
}
