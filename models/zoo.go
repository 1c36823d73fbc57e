// Package models is the zoo: checkpoints of vision transformers, and a detector of
// faces, that graft knows by name, with their address, hash, architecture and the preprocessing
// they were trained with; and the download that fetches and verifies them.
//
// Addresses, file hashes and preprocessing come from the publishers' own
// code: torchvision's Weights enumerations (torchvision/models/
// vision_transformer.py), timm's default configurations (timm/models/
// vision_transformer.py), the preprocessor_config.json of the Hugging Face
// repositories, the evaluation transforms of the DeiT, DINO and DINOv2
// repositories, and OpenAI's clip/clip.py. Names such as vit_b_16-c867db91.pth
// carry the first eight hex digits of the file's SHA-256, OpenAI's addresses all
// of it.
package models

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"graft/internal/suggest"
)

// Entry is one checkpoint of the zoo.
type Entry struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// SHA256 is the digest in hex, or its first digits (eight or more), or ""
	// where the publisher states none. First digits tell a wrong file, and do not
	// pin the right one: another with the same is made in minutes.
	SHA256     string     `json:"sha256"`
	File       string     `json:"file"`       // its name on disk
	Arch       string     `json:"arch"`       // vit_b_16, …
	Family     string     `json:"family"`     // whose tensor names: torchvision, timm, dinov2, openai, huggingface, …
	License    string     `json:"license"`    // of the weights
	Source     string     `json:"source"`     // publisher's name, training data
	Parameters int64      `json:"parameters"` // of the image encoder, classifier included
	Bytes      int64      `json:"bytes"`      // of the file, where it is not 4 a parameter; else 0
	Classes    int        `json:"classes"`    // of the classifier, 0 without one
	Activation string     `json:"activation"` // of the perceptrons, where not the usual one of the tensor names; else ""
	Positions  string     `json:"positions"`  // "dino" where the position embedding is resized as DINO's code does, and the tensor names do not tell; else ""
	Image      int        `json:"image"`      // side of the input in pixels that its publisher evaluates at
	Mean       [3]float32 `json:"mean"`       // of RGB in [0,1]
	Std        [3]float32 `json:"std"`
	// CropPct is the part of the resized image's side that the centre crop
	// keeps. Interpolation is the publisher's resize for photographs.
	CropPct       float64 `json:"crop_pct"`
	Interpolation string  `json:"interpolation"`
}

// Size is the file's approximate size in bytes: as stated, or that of its
// parameters in float32.
func (e Entry) Size() int64 { return cmp.Or(e.Bytes, 4*e.Parameters) }

// Faces is the name of the detector of faces, which is no vision transformer and an ONNX file already.
const Faces = "yunet"

// ONNX tells an entry whose file is the model itself: there is nothing to convert.
func (e Entry) ONNX() bool { return filepath.Ext(e.File) == ".onnx" }

//go:embed zoo.json
var zooJSON []byte

// List returns all entries, in the order of the table.
func List() []Entry {
	entries, err := parseZoo(zooJSON)
	if err != nil {
		panic(err) // the embedded table is part of the program; a test reads it
	}
	return entries
}

func parseZoo(data []byte) ([]Entry, error) {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	var entries []Entry
	if err := dec.Decode(&entries); err != nil {
		return nil, fmt.Errorf("models: zoo.json: %w", err)
	}
	return entries, nil
}

// Get returns the entry of a name; an unknown one is an error that names the most
// similar.
func Get(name string) (Entry, error) {
	var known []string
	for _, e := range List() {
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return Entry{}, fmt.Errorf("no model %q in the zoo%s (graft model list shows all)", name, suggest.DidYouMean(name, known))
}
