package vit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"graft/internal/atomicfile"
	"graft/internal/idle"
	"graft/models"
	"graft/onnx/precision"
	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

// ConvertOptions describes one ONNX file to be made.
type ConvertOptions struct {
	Weights    string                  // checkpoint file; empty for a random model
	Key        string                  // of the state dict in the file, see checkpoint.Open
	Prefix     string                  // of the tensors' names; "": looked for
	Positions  string                  // whose interpolation of positions, one of Positions; "": by the zoo or the family
	Name       string                  // the zoo's entry that the checkpoint is, for its preprocessing; may be empty
	Heads      int                     // attention heads of the checkpoint; 0: by the width
	Activation Activation              // of the checkpoint; "": by the zoo or the family
	Random     bool                    // draw the weights instead of reading them
	Seed       uint64                  // of a random model
	Arch       string                  // of a random model: one of Archs
	Classes    int                     // of a random model; 0 is no classifier
	Out        string                  // the ONNX file
	ImageSize  int                     // side of the input, pixels; 0: the zoo's, else the checkpoint's
	ImageWidth int                     // not 0: ImageSize is the height of an oblong input
	Normalize  string                  // see preprocess.ParseNormalization; empty: by the zoo or the family
	CropPct    float64                 // (0,1]; 0: by the zoo or the family
	Version    string                  // of the tool
	Precision  precision.Kind          // "" is Float32
	Try        func(path string) error // see onnx.Model.WriteFile; may be nil
}

// Validate reports options that contradict each other.
func (o ConvertOptions) Validate() error {
	switch {
	case o.Out == "":
		return errors.New("no output file named (--out)")
	case o.Random && (o.Weights != "" || o.Key != "" || o.Prefix != "" || o.Positions != "" || o.Name != "" || o.Heads != 0 || o.Activation != ""):
		return idle.Errorf("weights key prefix positions name heads activation", "a random model has no weights file, no name in the zoo and heads and activation of its own: leave --weights, --key, --prefix, --positions, --name, --heads and --activation out")
	case o.Random && !slices.Contains(Archs(), o.Arch):
		return errArch(o.Arch)
	case o.Random && o.ImageWidth != 0:
		return errors.New("random networks take squares: give one side (--image-size)")
	case !o.Random && o.Weights == "":
		return errors.New("name a weights file (--weights), or ask for a random model (--random-init)")
	case !o.Random && (o.Arch != "" || o.Classes != 0):
		return idle.Errorf("arch classes", "architecture and classes come from the weights file: --arch and --classes are for --random-init")
	case o.ImageSize < 0 || o.ImageWidth < 0 || o.Heads < 0 || o.Classes < 0:
		return errors.New("image size, heads and classes cannot be negative")
	case o.Positions != "" && !slices.Contains(Positions(), o.Positions):
		return fmt.Errorf("positions by %q (--positions): want one of %s", o.Positions, strings.Join(Positions(), ", "))
	case o.Activation != "" && !slices.Contains(activations, o.Activation):
		return fmt.Errorf("activation %q (--activation): want one of %v", o.Activation, activations)
	case !(o.CropPct >= 0 && o.CropPct <= 1):
		return fmt.Errorf("crop is %g, want more than 0 and at most 1", o.CropPct)
	}
	if o.Name != "" {
		if _, err := models.Get(o.Name); err != nil {
			return err
		}
	}
	if o.Normalize != "" {
		_, err := preprocess.ParseNormalization(o.Normalize)
		return err
	}
	return nil
}

// checkOut refuses to write over the checkpoint.
func (o ConvertOptions) checkOut() error {
	if atomicfile.Same(o.Weights, o.Out) {
		return fmt.Errorf("%s is the weights file: name another --out", o.Out)
	}
	return nil
}

// Summary tells what Convert wrote.
type Summary struct {
	Out        string         `json:"out"`
	Bytes      int64          `json:"bytes"`
	Arch       string         `json:"arch"`
	Family     string         `json:"family"`
	Source     string         `json:"source"`
	SHA256     string         `json:"source_sha256,omitempty"`
	Key        string         `json:"key"`        // of the state dict in the source
	OtherKeys  []string       `json:"other_keys"` // of those that were not taken
	Parameters int64          `json:"parameters"`
	Image      int            `json:"image_size"`            // side, or height, of the input in pixels
	Across     int            `json:"image_width,omitempty"` // its width where that differs
	Patch      int            `json:"patch"`
	Width      int            `json:"width"`
	Depth      int            `json:"depth"`
	Heads      int            `json:"heads"`
	Classes    int            `json:"classes"`
	Activation string         `json:"activation"` // an Activation, or swiglu
	Variant    string         `json:"variant"`    // what sets it apart from the plain network
	Precision  precision.Kind `json:"precision"`
	Taps       []string       `json:"taps"`
	Mean       [3]float32     `json:"mean"`
	Std        [3]float32     `json:"std"`
	CropPct    float64        `json:"crop_pct"`
	// Interpolation is the resize of the publisher's own pipeline, "" if not
	// known; graft's graph resizes bilinearly.
	Interpolation string   `json:"source_interpolation"`
	Seconds       float64  `json:"seconds"`
	Notes         []string `json:"notes"`
}

// Convert reads a checkpoint, or draws a random model, and writes it as ONNX;
// progress counts bytes of weights and may be nil.
func Convert(ctx context.Context, o ConvertOptions, progress func(done, total int64)) (Summary, error) {
	start := time.Now()
	if err := o.Validate(); err != nil {
		return Summary{}, err
	}
	if err := o.checkOut(); err != nil {
		return Summary{}, err
	}
	m, done, err := o.model(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer done()
	if err := o.adjust(m); err != nil {
		return Summary{}, err
	}
	if err := m.Export(ctx, o.Out, ExportOptions{Version: o.Version, Precision: o.Precision, Progress: progress, Try: o.Try}); err != nil {
		return Summary{}, err
	}
	s, err := m.summary(o.Out)
	s.Precision = cmp.Or(o.Precision, precision.Float32)
	s.Seconds = time.Since(start).Seconds()
	return s, err
}

// model opens or draws the model; done releases its file.
func (o ConvertOptions) model(ctx context.Context) (m *Model, done func(), err error) {
	if o.Random {
		m, err = Random(o.Arch, o.Seed, o.Classes)
		return m, func() {}, err
	}
	f, prefix, err := checkpoint.OpenPrefix(o.Weights, o.Key, o.Prefix)
	if err != nil {
		return nil, nil, err
	}
	load := loadOptions{Heads: o.Heads, Activation: o.Activation, Name: o.Name, Prefix: prefix, Positions: o.Positions, Normalized: o.Normalize != "", Image: o.ImageSize, Across: o.ImageWidth}
	m, err = loadModel(ctx, f, load)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return m, func() { _ = f.Close() }, nil
}

// adjust applies what the user set to what the model came with.
func (o ConvertOptions) adjust(m *Model) error {
	c := m.Config
	size := cmp.Or(o.ImageSize, m.usual)
	if across := cmp.Or(o.ImageWidth, size); size != 0 && (size != c.Image || across != c.across()) {
		m.Notes = append(m.Notes, fmt.Sprintf("position embedding interpolated from %s to %s pixels (bicubic)", preprocess.FormatSize(c.Image, c.Across), preprocess.FormatSize(size, o.ImageWidth)))
		if err := m.setImageSize(size, across); err != nil {
			return err
		}
	}
	if o.Normalize != "" {
		n, err := preprocess.ParseNormalization(o.Normalize)
		if err != nil {
			return err
		}
		m.Preprocess.Normalization = n
		m.Notes = slices.DeleteFunc(m.Notes, func(note string) bool { return note == m.assumed })
		m.Notes = append(m.Notes, "mean and std set by hand")
	}
	if o.CropPct != 0 {
		m.Preprocess.CropPct = o.CropPct
	}
	return nil
}

func (m *Model) summary(path string) (Summary, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return Summary{}, err
	}
	c := m.Config
	activation := string(c.act())
	if c.Gated {
		activation = "swiglu"
	}
	return Summary{
		Out: path, Bytes: stat.Size(), Arch: c.Arch(), Family: m.Family, Source: m.Source, SHA256: m.SHA256, Key: m.key, OtherKeys: append([]string{}, m.otherKeys...),
		Parameters: c.Params(), Image: c.Image, Across: c.Across, Patch: c.Patch, Width: c.Width, Depth: c.Depth, Heads: c.Heads,
		Classes: c.Classes, Activation: activation, Variant: c.variant(), Taps: m.Config.taps(), Mean: m.Preprocess.Mean, Std: m.Preprocess.Std, CropPct: m.Preprocess.CropPct,
		Interpolation: m.Preprocess.Interpolation, Notes: m.Notes,
	}, nil
}
