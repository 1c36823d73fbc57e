package vit

import (
	"errors"
	"fmt"

	"graft/internal/atomicfile"
	"graft/onnx"
	"graft/onnx/meta"
	"graft/pretrained/checkpoint"
)

// Save writes the weights of an ONNX file that Export wrote as a safetensors checkpoint with timm's names, in float32 or
// in float16: for PyTorch, or to be exported again. Exporting it gives the same network, as far as float16 goes. Only
// the plain network can be written, in float32 and without a classifier.
func Save(path, out string, half bool) error {
	if atomicfile.Same(path, out) {
		return fmt.Errorf("%s is the network's own file: name another --out", out)
	}
	m, err := onnx.Open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	about, err := meta.Read(m.Metadata)
	if err != nil {
		return err
	}
	tensors, err := saved(m, about)
	if err != nil {
		return fmt.Errorf("%s as a checkpoint: %w", path, err)
	}
	if half {
		for i := range tensors {
			tensors[i].Half = true
		}
	}
	return checkpoint.WriteSafetensors(out, tensors, map[string]string{"format": "pt", "graft.arch": about.Arch})
}

// saved are the tensors under timm's names.
func saved(m *onnx.Model, about meta.Meta) ([]checkpoint.Tensor, error) {
	stored := onnx.NewIndex(m).Weights
	c := Config{Image: about.Spec.Size, Across: about.Spec.Width, Patch: about.Patch, Width: about.Width, Depth: about.Depth, Heads: about.Heads, Eps: timm.eps}
	switch {
	case about.Arch == "" || about.Kind != "" || len(about.Labels) > 0:
		return nil, errors.New("it is no backbone that graft exported")
	case about.Variant != "" || stored["head.weight"].Name != "":
		return nil, errors.New("only a plain vision transformer without a classifier can be written")
	}
	if fc1, ok := stored["blocks.0.fc1.weight"]; ok && len(fc1.Dims) == 2 {
		c.MLP = int(fc1.Dims[1])
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	var out []checkpoint.Tensor
	for _, s := range layout(c) {
		v, err := unlowered(stored, s)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", s.name, err)
		}
		out = append(out, checkpoint.Tensor{Name: timm.mappings(s.name, "")[0].names[0], Shape: s.shape, Data: v})
	}
	return out, nil
}

// unlowered is a tensor of the layout as it was before Export: the class token's row in the table of positions is the
// sum of both, and the token itself 0.
func unlowered(stored map[string]onnx.Tensor, s spec) ([]float32, error) {
	name := s.name
	switch name {
	case "cls":
		return make([]float32, elements(s.shape)), nil
	case "pos":
		name = "positions"
	}
	t, ok := stored[name]
	if !ok {
		return nil, errors.New("is not in the file")
	}
	if t.Type != onnx.Float32 {
		return nil, fmt.Errorf("is %v, want float32: name the file that it was made from", t.Type)
	}
	v, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	if len(v) != elements(s.shape) {
		return nil, fmt.Errorf("want %v = %d numbers, got %v", s.shape, elements(s.shape), t.Dims)
	}
	if len(s.shape) == 2 { // linear layers are [in,out] there
		v = transpose(v, s.shape[1], s.shape[0])
	}
	return v, nil
}
