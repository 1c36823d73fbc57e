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
