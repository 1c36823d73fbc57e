package pretrained

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/pretrained/blocks"
	"graft/pretrained/taps"
)

// blockTensor is the tensor that a tap tokens_k is, which the model's structure tells.
func (b *Backbone) blockTensor(m *onnx.Model, tap string) (string, error) {
	k, ok := taps.Block(tap)
	if !ok {
		return "", fmt.Errorf("tap %q: the tensor's whole name is needed, as in %sNAME", tap, taps.TensorWord)
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
