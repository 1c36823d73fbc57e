package ship

import (
	"fmt"

	"graft/onnx"
)

// Names of the outputs that Config.Evidence adds.
const (
	OutAttention = "attention_" // and the block's number: [N,T,T], the mean over its heads
	OutMaps      = "maps"       // [N,h,w], the mean over the last layer's maps
)

// addEvidence adds outputs that tell the places of an image apart: each block's attention, or of a network without attention
// its last layer of feature maps. Of mirrored images they come after those of the images themselves. Other networks get none.
func addEvidence(b *onnx.Builder) {
	m := b.Model
	index := onnx.NewIndex(m)
	var attention []string
	var last *onnx.Node
	for _, n := range m.Nodes {
		switch n.Op {
		case "Softmax":
			for _, reader := range index.Readers[n.Outputs[0]] {
				if reader != nil && reader.Op == "MatMul" && reader.Inputs[0] == n.Outputs[0] {
					attention = append(attention, n.Outputs[0])
				}
			}
		case "Conv":
			last = &n
		}
	}
	if attention == nil && last != nil {
		maps := reduceMean(b, OutMaps, b.Op("Relu", "last_maps", []string{activated(index, last)}), []int64{1})
		b.Output(OutMaps, maps, onnx.Float32, onnx.Dim{Name: "sides"}, onnx.Dim{Name: "rows"}, onnx.Dim{Name: "columns"})
	}
	for i, a := range attention {
		name := fmt.Sprint(OutAttention, i)
		b.Output(name, reduceMean(b, name, a, []int64{1}), onnx.Float32, onnx.Dim{Name: "sides"}, onnx.Dim{Name: "tokens"}, onnx.Dim{Name: "tokens"})
	}
}

// activated is what the network goes on with after a convolution: past its normalisation and activation.
func activated(index onnx.Index, n *onnx.Node) string {
	for {
		readers := index.Readers[n.Outputs[0]]
		if len(readers) != 1 || readers[0] == nil {
			return n.Outputs[0]
		}
		switch readers[0].Op {
		case "BatchNormalization", "Relu", "Gelu", "Clip", "HardSwish":
			n = readers[0]
		default:
			return n.Outputs[0]
		}
	}
}
