package ship

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
)

// renewPixels rewrites what comes before the network of backbones that an earlier graft exported as onnx.Builder's Floats and
// RGB write it now, so that what is made of them runs elsewhere too. The numbers stay the same to the bit.
func renewPixels(m *onnx.Model) {
	b, index := onnx.NewBuilder(m), onnx.NewIndex(m)
	for _, v := range m.Inputs {
		for _, n := range index.Readers[v.Name] {
			if v.Type == onnx.Uint8 && n.Op == "Cast" && n.Int("to", 0) == int64(onnx.Float32) {
				behind(b, n.Outputs[0], func(string) string { return b.Floats(v.Name) })
			}
		}
	}
	for name, n := range index.Producers {
		if n.Op == "Resize" && slices.ContainsFunc(index.Readers[name], func(reader *onnx.Node) bool { return scalesRGB(index, reader) }) {
			behind(b, name, b.RGB)
		}
	}
	m.Prune()
}

// scalesRGB tells a product with three numbers, which repeats a single channel.
func scalesRGB(index onnx.Index, n *onnx.Node) bool {
	return n != nil && n.Op == "Mul" && slices.Equal(index.Weights[n.Inputs[1]].Dims, []int64{1, 3, 1, 1})
}

// floatPixels is the name of the pixels once they are float32, in which any engine can move them.
func floatPixels(m *onnx.Model, input onnx.Value) string {
	for _, n := range m.Nodes {
		if n.Op == "DequantizeLinear" && n.Inputs[0] == input.Name {
			return n.Outputs[0]
		}
	}
	return input.Name
}

// mirrorable is the name of what is mirrored: images of the network's size where graft's own graph resizes them, as ONNX
// Runtime would move a cut of the floats themselves back to the bytes, which WebGPU cannot cut.
func mirrorable(m *onnx.Model, pixels string) string {
	for _, n := range m.Nodes {
		if n.Op == "Resize" && n.Inputs[0] == pixels {
			return n.Outputs[0]
		}
	}
	return pixels
}

// fourChannels widens convolutions to a multiple of four channels by zeros: ONNX Runtime's WebGPU (1.25 to 1.30 at least)
// computes those of 6 channels wrongly where the outputs are a multiple of four. The sums stay what they are.
func fourChannels(b *onnx.Builder) error {
	m, index := b.Model, onnx.NewIndex(b.Model)
	old := m.Nodes
	m.Nodes = nil
	for _, n := range old {
		if n.Op == "Conv" && n.Int("group", 1) == 1 {
			if w := index.Weights[n.Inputs[1]]; w.Dims[1] > 4 && w.Dims[1]%4 != 0 {
				wide, err := widened(b, w)
				if err != nil {
					return err
				}
				pads := b.Int64s(n.Outputs[0]+"_pads", 0, 0, 0, 0, 0, 4-w.Dims[1]%4, 0, 0)
				x := b.Op("Pad", n.Outputs[0]+"_padded", []string{n.Inputs[0], pads})
				n.Inputs = append([]string{x, wide}, n.Inputs[2:]...)
			}
		}
		m.Nodes = append(m.Nodes, n)
	}
	m.Prune()
	return nil
}

// widened is a kernel [O,I,h,w] with zeros for further inputs, up to a multiple of four.
func widened(b *onnx.Builder, w onnx.Tensor) (string, error) {
	values, err := w.Float32s()
	if err != nil {
		return "", err
	}
	inputs := (w.Dims[1] + 3) / 4 * 4
	from, to := int(w.Dims[1]*w.Dims[2]*w.Dims[3]), int(inputs*w.Dims[2]*w.Dims[3])
	out := make([]float32, int(w.Dims[0])*to)
	for o := range int(w.Dims[0]) {
		copy(out[o*to:], values[o*from:(o+1)*from])
	}
	return b.Float32s(w.Name+"_wide", out, w.Dims[0], inputs, w.Dims[2], w.Dims[3]), nil
}

// behind has every node that read a value read what add makes of it.
func behind(b *onnx.Builder, value string, add func(string) string) {
	m := b.Model
	old := m.Nodes
	m.Nodes = nil
	made := ""
	if slices.ContainsFunc(m.Inputs, func(v onnx.Value) bool { return v.Name == value }) {
		made = add(value)
	}
	for _, n := range old {
		n.Inputs = slices.Clone(n.Inputs)
		for i, in := range n.Inputs {
			if in == value {
				n.Inputs[i] = made
			}
		}
		m.Nodes = append(m.Nodes, n)
		if slices.Contains(n.Outputs, value) {
			made = add(value)
		}
	}
}

// secondPass has a backbone that is fixed to some number of images, which twice as many would not fit, look at mirrored ones
// too: its nodes run a second time behind the pixels, on the same weights, and values get the names of both together.
func secondPass(b *onnx.Builder, input onnx.Value, pixels string, values []onnx.Value) error {
	m := b.Model
	second := map[string]string{pixels: b.Mirror(pixels)}
	for _, n := range m.Nodes[:len(m.Nodes)-1] {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(n.Reads())), func(name string) bool { return second[name] != "" }) {
			continue
		}
		if len(n.Graphs()) > 0 {
			return fmt.Errorf("input %v is fixed to its number of images, and node %q has graphs of its own: mirrored images want a file with a free batch (torch.onnx.export's dynamic_shapes or dynamic_axes)", input, n.Name)
		}
		again := n
		again.Inputs, again.Outputs, again.Name = slices.Clone(n.Inputs), slices.Clone(n.Outputs), n.Name+mirroredSuffix
		for i, name := range n.Inputs {
			again.Inputs[i] = cmp.Or(second[name], name)
		}
		for i, name := range n.Outputs {
			if name != "" {
				again.Outputs[i] = name + mirroredSuffix
				second[name] = again.Outputs[i]
			}
		}
		m.Nodes = append(m.Nodes, again)
	}
	for i, v := range values {
		values[i].Name = b.Op("Concat", v.Name+"_of_both", []string{v.Name, second[v.Name]}, onnx.Attr{Name: "axis", Value: int64(0)})
	}
	return nil
}

// mirroredSuffix ends the names of what is computed of mirrored images.
const mirroredSuffix = "_of_mirrored"
