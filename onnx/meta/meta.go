// Package meta is what an ONNX file of graft says of itself: the metadata_props whose keys begin with "graft.", as one
// struct with Read and Write. Keys are added and never renamed, and files of older versions are read.
package meta

import (
	"cmp"
	"math"
	"slices"

	"graft/preprocess"
)

// schemaVersion is the version of the keys that Write records. Newer ones are refused; files without one are of before it was
// recorded, with the same keys.
const schemaVersion = 1

// Meta describes a file. Zero fields are what it does not say.
type Meta struct {
	Version string // of the graft that wrote the file

	// Of a backbone that graft exported.
	Arch, Variant, Family      string
	Source, SourceSHA256       string // the checkpoint's file name, or random:SEED; its hash
	SourceInterpolation        string // of the publisher's own pipeline, where it is another than Spec.Filter
	Patch, Width, Depth, Heads int
	// Parameters is how many learned numbers the checkpoint holds, a classifier's included, before any of them are
	// multiplied with or added to each other for the file.
	Parameters int

	// Precision is "float32", "float16" or "int8", and Quantization how it was made, in one line.
	Precision, Quantization string

	// Spec is what becomes of uint8 pixels, in the graph and before it; its Size is 0 where the file does not say. Where
	// the file takes normalised floats Foreign says what the host does instead.
	Spec    preprocess.Spec
	Foreign *preprocess.Spec

	// Of a model from pixels to probabilities.
	Kind           string   // cnn or vit of a network; "" of a head on a backbone
	Whole          bool     // pixels are photographs of any size, [N,H,W,C]: what Spec and Foreign say of the host is in the graph
	Labels         []string // the classes, in the order of the outputs
	Notes          []string // what whoever reads predictions must know
	BackboneSHA256 string   // of the ONNX file that was joined
	Taps           []string // that the head reads, side by side
	Recipe         string
	Temperature    float64 // that probabilities divide the logits by; 0, of files that do not say, is 1
	Flip           bool    // logits are averaged with the mirrored image's
}

// keys are the metadata's keys, each with the field that it is of.
func (m *Meta) keys(schema *int) []key {
	const many = math.MaxInt32
	s := &m.Spec
	return []key{
		number("schema", schema, 1, schemaVersion), text("version", &m.Version),
		text("arch", &m.Arch), text("variant", &m.Variant), text("family", &m.Family),
		text("source", &m.Source), text("source_sha256", &m.SourceSHA256), text("source_interpolation", &m.SourceInterpolation),
		number("patch", &m.Patch, 1, many), number("width", &m.Width, 1, many), number("depth", &m.Depth, 1, many), number("heads", &m.Heads, 1, many),
		number("parameters", &m.Parameters, 1, math.MaxInt),
		text("precision", &m.Precision), text("quantization", &m.Quantization),
		imageSize(s), number("crop_pct", &s.Crop, preprocess.MinCropPct, 1),
		text("interpolation", &s.Filter), three("mean", &s.Mean, s), three("std", &s.Std, s),
		object("foreign", &m.Foreign, "preprocessing as JSON", func() bool { return m.Foreign != nil }),
		text("kind", &m.Kind), object("whole_image", &m.Whole, "true", func() bool { return m.Whole }), list("notes", &m.Notes, "\n"),
		object("labels", &m.Labels, "a list of two classes or more as JSON", func() bool { return len(m.Labels) >= 2 }),
		text("backbone_sha256", &m.BackboneSHA256), list("head.taps", &m.Taps, ","), text("head.recipe", &m.Recipe), flip(m),
		number("temperature", &m.Temperature, 0.01, 100),
	}
}

const prefix = "graft."

// ofBackbones are keys without which a file with an architecture is not understood.
var ofBackbones = []string{"image_size", "mean", "std"}

// Read reads a file's metadata; a file that is not graft's leaves all zero. A value that cannot be read, or that no file
// can have, is an error that names its key.
func Read(metadata map[string]string) (Meta, error) {
	var m Meta
	var schema int
	for _, k := range m.keys(&schema) {
		if word := metadata[prefix+k.name]; word != "" || m.Arch != "" && slices.Contains(ofBackbones, k.name) {
			if err := k.parse(word); err != nil {
				return Meta{}, err
			}
		}
	}
	if m.Spec.Size > 0 {
		m.Spec.Crop, m.Spec.Filter = cmp.Or(m.Spec.Crop, 1), cmp.Or(m.Spec.Filter, preprocess.Bilinear)
		m.Spec.Channels = 3 // the graph makes them of gray
	}
	if f := m.Foreign; f != nil {
		f.Host, f.Crop, f.Filter = true, cmp.Or(f.Crop, 1), cmp.Or(f.Filter, preprocess.Bilinear)
	}
	return m, nil
}

// Write sets the keys in a file's metadata to what m says and removes those of what it does not; others stay.
func (m Meta) Write(metadata map[string]string) {
	schema := schemaVersion
	for _, k := range m.keys(&schema) {
		delete(metadata, prefix+k.name)
		if word := k.format(); word != "" {
			metadata[prefix+k.name] = word
		}
	}
}
