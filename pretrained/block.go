package pretrained

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/pretrained/blocks"
	"graft/pretrained/taps"
)

// blockTensor is the tensor that a tap tokens_k is: in graft's own files what mean_k is
// made of, whatever their precision, in others what their structure tells.
func (b *Backbone) blockTensor(m *onnx.Model, tap string) (string, error) {
	k, ok := taps.Block(tap)
	if !ok {
		return "", fmt.Errorf("tap %q: the tensor's whole name is needed, as in %sNAME", tap, taps.TensorWord)
	}
	if b.file.Own() {
		return ownBlock(onnx.NewIndex(m), k)
	}
	var input []int
	in, _ := b.adapter.blank()
	for _, d := range in[0].Shape {
		input = append(input, int(d))
	}
	cuts, err := blocks.Find(m, input)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(cuts, func(c blocks.Cut) bool { return c.Block == k })
	if i < 0 {
		return "", fmt.Errorf("it has no block %d but 0 to %d", k, cuts[len(cuts)-1].Block)
	}
	return cuts[i].Tensor, nil
}

// ownBlock is the tensor after block k of a file that graft exported.
func ownBlock(x onnx.Index, k int) (string, error) {
	if k == 0 {
		if x.Producers["norm_pre"] != nil {
			return "norm_pre", nil
		}
		return "embeddings", nil
	}
	mean := x.Producers[fmt.Sprintf("mean_%d", k)]
	if mean == nil || len(mean.Inputs) == 0 {
		return "", fmt.Errorf("it has no block %d", k)
	}
	if slice := x.Producers[mean.Inputs[0]]; slice != nil && slice.Op == "Slice" { // without the class token
		return slice.Inputs[0], nil
	}
	return mean.Inputs[0], nil
}
