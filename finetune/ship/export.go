// Package ship makes one ONNX file of a run, and of its backbone where it has one.
package ship

import (
	"context"
	"fmt"
	"path/filepath"

	"graft/finetune/load"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/atomicfile"
	"graft/onnx"
	"graft/onnx/meta"
	"graft/preprocess"
	"graft/pretrained"
)

// Config says how to join a run and its backbone.
type Config struct {
	Run     string           // the run's folder
	Model   string           // the backbone's ONNX file; empty: where the run says, or beside the run
	Foreign *preprocess.Spec // describes a backbone that graft did not export; nil: as the run recorded it
	Out     string           // the ONNX file to write
	// Evidence adds outputs that tell the places of an image apart, where the network has such; see OutAttention.
	Evidence bool
	Whole    bool   // it takes photographs of any size: resize and crop are in the graph
	Version  string // of the program, for the file's metadata
	// Snippets asks for programs beside the file that call it.
	Snippets bool
}

// Exported tells what Export wrote.
type Exported struct {
	File    string   `json:"file"`
	Inputs  []string `json:"inputs"`
	Outputs []string `json:"outputs"`
	Labels  []string `json:"labels"`
	// Files beside it: the labels, a line each, and the model card. Of models alone.
	LabelsFile string   `json:"labels_file,omitempty"`
	Card       string   `json:"card,omitempty"`
	Snippets   []string `json:"snippets,omitempty"` // programs that call it
	Notes      []string `json:"notes,omitempty"`
}

// Export writes one ONNX file from pixels to `probabilities` and `logits`, both
// [N,K] float32; probabilities are the softmax of the logits divided by the run's
// temperature. For a head: backbone, taps, standardisation, head and softmax,
// and the mirrored image's pass where the run averages it; what the head does
// not need of the backbone is left out. For a cnn or vit: its own resizing or
// cropping and the network. Both take uint8 [N,C,H,W], gray or RGB, or with
// c.Whole photographs of any size as decoders give them, [N,H,W,C], from which
// the graph makes what Spec.Cut does. Labels lie in the
// metadata, and in F.labels.txt beside F.onnx; what the model was trained on, its
// figures and how to call it tells F.card.md.
func Export(ctx context.Context, c Config) (Exported, error) {
	r, err := run.Open(c.Run)
	if err != nil {
		return Exported{}, err
	}
	if r.Config.OnBackbone() {
		return exportHead(ctx, r, c)
	}
	return exportNetwork(r, c)
}

// exportNetwork writes a cnn or vit.
func exportNetwork(r *run.Run, c Config) (Exported, error) {
	if c.Model != "" || c.Foreign != nil {
		return Exported{}, fmt.Errorf("run %s is a %s and has no backbone; leave out the settings for one", r.Dir, r.Config.Kind)
	}
	m, err := classifier(r.Config.Net, r.Weights, *r.Config.Pixels, r.Config.SoftmaxTemperature(), c.Whole)
	if err == nil && c.Evidence {
		addEvidence(onnx.NewBuilder(m))
	}
	if err == nil {
		err = addMetadata(r, m, r.Config.Parameters(), nil, c)
	}
	if err != nil {
		return Exported{}, fmt.Errorf("export %s: %w", r.Dir, err)
	}
	return write(r, m, nil, c)
}

// exportHead joins a head to its backbone, which is tuned where the run has done so.
func exportHead(ctx context.Context, r *run.Run, c Config) (Exported, error) {
	file, err := load.Backbone(ctx, r, c.Model)
	if err != nil {
		return Exported{}, err
	}
	path := file.Path
	if atomicfile.Same(path, c.Out) {
		return Exported{}, fmt.Errorf("%s is the backbone itself; write the joined model to another file", c.Out)
	}
	m, err := onnx.Open(path)
	if err != nil {
		return Exported{}, err
	}
	defer m.Close()
	foreign, err := model.Foreign(r, c.Foreign)
	if err == nil {
		err = model.Tune(r, m)
	}
	if err == nil {
		err = join(r, m, foreign, c)
	}
	if err != nil {
		return Exported{}, fmt.Errorf("join %s and %s: %w", r.Dir, path, err)
	}
	return write(r, m, foreign, c)
}

// write writes the file, with labels, card and programs beside it, and tells what is in it.
func write(r *run.Run, m *onnx.Model, foreign *preprocess.Spec, c Config) (Exported, error) {
	e, err := written(m, c.Out, r.Config.Classes, r.Config.Notes)
	if err == nil && c.Snippets {
		err = addSnippets(r, &e, foreign, c.Whole)
	}
	if err == nil {
		err = addBeside(r, &e, foreign, c)
	}
	return e, err
}

func written(m *onnx.Model, path string, labels, notes []string) (Exported, error) {
	if err := m.WriteFile(path, pretrained.Try); err != nil {
		return Exported{}, err
	}
	out := Exported{File: path, Labels: labels, Notes: notes}
	for _, v := range m.Inputs {
		out.Inputs = append(out.Inputs, v.String())
	}
	for _, v := range m.Outputs {
		out.Outputs = append(out.Outputs, v.String())
	}
	return out, nil
}

// join turns the backbone m into the whole model.
func join(r *run.Run, m *onnx.Model, foreign *preprocess.Spec, c Config) error {
	input, err := pixelInput(m)
	if err != nil {
		return err
	}
	values, err := tapValues(m, r.Config.Head.Taps, foreign)
	if err != nil {
		return err
	}
	m.Outputs = values
	held, whole := m.Parameters(), pretrained.Parameters(m)
	m.Prune()
	head, _ := model.Head(r)
	parameters := int(whole+m.Parameters()-held) + nets.Parameters(head) // of what the taps need, and the head's
	renewPixels(m)
	b := onnx.NewBuilder(m)
	if err := before(r, b, input, values, foreign, c.Whole); err != nil {
		return err
	}
	var parts []string
	for _, v := range values {
		parts = append(parts, pooled(b, v, foreign))
	}
	logits, err := addHead(r, b, parts)
	if err != nil {
		return err
	}
	m.Outputs = nil
	addOutputs(b, logits, input.Dims[0], len(r.Config.Classes), r.Config.SoftmaxTemperature())
	if c.Evidence {
		addEvidence(b)
	}
	if err := addMetadata(r, m, parameters, foreign, c); err != nil {
		return err
	}
	return m.Validate()
}

// before adds what comes before the backbone: of photographs of any size what its preprocessing makes of them, and the
// mirror images, whose values follow those of the images.
func before(r *run.Run, b *onnx.Builder, input onnx.Value, values []onnx.Value, foreign *preprocess.Spec, whole bool) error {
	fixed, pixels := input.Dims[0].Value > 0, floatPixels(b.Model, input)
	if whole {
		spec := r.Config.Backbone.Preprocessing
		if foreign != nil {
			spec = *foreign
		}
		if n := input.Dims[0].Value; n > 1 {
			return fmt.Errorf("input %v is fixed to %d images, and photographs of any size come one at a time: a file of them wants a backbone with a free batch (torch.onnx.export's dynamic_shapes or dynamic_axes)", input, n)
		}
		if b.Model.Opset < wholeOpset {
			return fmt.Errorf("the backbone has operator set %d, and resizing in the graph needs %d or later", b.Model.Opset, wholeOpset)
		}
		if err := readPlainly(b.Model, pixels); err != nil {
			return err
		}
		behind(b, pixels, func(x string) string {
			pixels = photographs(b, input, spec)(x)
			return pixels
		})
	}
	switch {
	case r.Config.Head.UseFlip && fixed:
		return secondPass(b, input, pixels, values)
	case r.Config.Head.UseFlip:
		value := mirrorable(b.Model, pixels)
		if err := readPlainly(b.Model, value); err != nil {
			return err
		}
		behind(b, value, b.Mirrored)
	}
	return nil
}

// readPlainly refuses a value that a branch or a loop may read, which behind does not look into.
func readPlainly(m *onnx.Model, value string) error {
	for _, n := range m.Nodes {
		if len(n.Graphs()) > 0 && n.Reads()[value] {
			return fmt.Errorf("node %q has graphs of its own that may read the pixels %q, before which nothing can be put; export the backbone without branches and loops there", n.Name, value)
		}
	}
	return nil
}

// pixelInput is the one input.
func pixelInput(m *onnx.Model) (onnx.Value, error) {
	if len(m.Inputs) != 1 || len(m.Inputs[0].Dims) != 4 {
		return onnx.Value{}, fmt.Errorf("the backbone's inputs are %v, want one of pixels [N,C,H,W]", m.Inputs)
	}
	return m.Inputs[0], nil
}

// tapValues finds the outputs that the head reads.
func tapValues(m *onnx.Model, taps []string, foreign *preprocess.Spec) ([]onnx.Value, error) {
	if foreign != nil && len(taps) != 1 {
		return nil, fmt.Errorf("%d taps of a model that graft did not export, want one", len(taps))
	}
	var out []onnx.Value
	for _, tap := range taps {
		name := tap
		if foreign != nil {
			name = foreign.Output
		}
		at := -1
		for i, v := range m.Outputs {
			if v.Name == name || (name == "" && v.Type == onnx.Float32) {
				at = i
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("the backbone has no output %q", name)
		}
		if v := m.Outputs[at]; v.Type != onnx.Float32 {
			return nil, fmt.Errorf("output %v, want float32", v)
		}
		out = append(out, m.Outputs[at])
	}
	return out, nil
}

// pooled brings an output to [N,D] as the host does for a foreign model.
func pooled(b *onnx.Builder, v onnx.Value, foreign *preprocess.Spec) string {
	if foreign == nil || foreign.Pool == pretrained.PoolNone {
		return v.Name
	}
	if foreign.Pool == pretrained.PoolCLS {
		first := b.Const("first_token", onnx.Int64, nil, onnx.Int64s([]int64{0})) // a scalar, so that the axis goes
		return b.Op("Gather", "pooled", []string{v.Name, first}, onnx.Attr{Name: "axis", Value: int64(1)})
	}
	axes := []int64{1} // tokens of [N,T,D]
	if len(v.Dims) == 4 {
		axes = []int64{2, 3} // places of [N,D,H,W]
	}
	return reduceMean(b, "pooled", v.Name, axes)
}

// reduceMean averages over axes and drops them; the axes were an attribute
// before operator set 18.
func reduceMean(b *onnx.Builder, name, x string, axes []int64) string {
	keep := onnx.Attr{Name: "keepdims", Value: int64(0)}
	if b.Model.Opset < 18 {
		return b.Op("ReduceMean", name, []string{x}, onnx.Attr{Name: "axes", Value: axes}, keep)
	}
	return b.Op("ReduceMean", name, []string{x, b.Int64s(name+"_axes", axes...)}, keep)
}

// addHead adds what follows the features and returns the logits.
func addHead(r *run.Run, b *onnx.Builder, parts []string) (string, error) {
	x := parts[0]
	if len(parts) > 1 {
		x = b.Op("Concat", "features", parts, onnx.Attr{Name: "axis", Value: int64(1)})
	}
	net, weights := model.Head(r)
	x, err := addNet(b, net, weights, x)
	if err == nil && r.Config.Head.UseFlip {
		x = meanOfSides(b, x, r.Config.Net.Classes())
	}
	return x, err
}

// addMetadata records what the file is, beside what its backbone says.
func addMetadata(r *run.Run, m *onnx.Model, parameters int, foreign *preprocess.Spec, c Config) error {
	about, err := meta.Read(m.Metadata)
	if err != nil {
		return err
	}
	about.Version, about.Labels, about.Notes, about.Foreign, about.Whole = c.Version, r.Config.Classes, r.Config.Notes, foreign, c.Whole
	about.Temperature, about.Parameters = r.Config.Temperature, parameters
	if h := r.Config.Head; r.Config.OnBackbone() {
		about.BackboneSHA256, about.Taps, about.Recipe, about.Flip = r.Config.Backbone.SHA256, h.Taps, h.Recipe, h.UseFlip
	} else {
		about.Kind, about.Spec = r.Config.Kind, preprocess.Spec{Size: r.Config.Pixels.Side, Crop: 1}
	}
	about.Write(m.Metadata)
	m.Producer, m.ProducerVersion = "graft", c.Version
	m.Name = filepath.Base(run.Absolute(r.Dir))
	return nil
}
