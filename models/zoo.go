// Package models is the zoo: checkpoints of vision transformers that graft
// knows by name, with their address, hash, architecture and the preprocessing
// they were trained with; and the download that fetches and verifies them.
//
// Addresses, file hashes and preprocessing come from the publishers' own
// code: torchvision's Weights enumerations (torchvision/models/
// vision_transformer.py), timm's default configurations (timm/models/
// vision_transformer.py), the preprocessor_config.json of the Hugging Face
// repositories, and the evaluation transforms of the DeiT and DINO
// repositories. Names such as vit_b_16-c867db91.pth carry the first eight hex
// digits of the file's SHA-256.
package models

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// Entry is one checkpoint of the zoo.
type Entry struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// SHA256 is the digest in hex, or its first digits (eight or more), or ""
	// where the publisher states none.
	SHA256     string     `json:"sha256"`
	File       string     `json:"file"`       // its name on disk
	Arch       string     `json:"arch"`       // vit_b_16, …
	Family     string     `json:"family"`     // whose tensor names: torchvision, timm, huggingface
	License    string     `json:"license"`    // of the weights
	Source     string     `json:"source"`     // publisher's name, training data
	Parameters int64      `json:"parameters"` // classifier included
	Classes    int        `json:"classes"`    // of the classifier, 0 without one
	Image      int        `json:"image"`      // side of the input in pixels
	Mean       [3]float32 `json:"mean"`       // of RGB in [0,1]
	Std        [3]float32 `json:"std"`
	// CropPct is the part of the resized image's side that the centre crop
	// keeps. Interpolation is the publisher's resize for photographs.
	CropPct       float64 `json:"crop_pct"`
	Interpolation string  `json:"interpolation"`
}

// Size is the file's approximate size in bytes: its parameters in float32.
func (e Entry) Size() int64 { return 4 * e.Parameters }

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

// Get returns the entry of a name; an unknown one is an error that lists the
// known.
func Get(name string) (Entry, error) {
	var known []string
	for _, e := range List() {
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return Entry{}, fmt.Errorf("no model %q in the zoo; known are %s", name, strings.Join(known, ", "))
}
