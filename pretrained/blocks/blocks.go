// Package blocks finds where a network can be cut in two: the tensors through which everything from its input to its
// output passes, one before the first of its repeating units and one behind each of them. They are told from the model's
// structure alone, whoever exported it.
package blocks

import (
	"fmt"
	"slices"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
)

// Cut is a tensor at which a network falls into a part before and a part behind it.
type Cut struct {
	Tensor string `json:"tensor"`
	Shape  []int  `json:"shape"` // for the input's shape that was given, the batch first
	Block  int    `json:"block"` // the blocks before the cut: 0 is the entry to the first
	// Parameters, those that are learned, and MACs (multiplications with addition of one batch) of what lies behind the cut.
	Parameters int64 `json:"parameters"`
	MACs       int64 `json:"macs"`
	// Residuals are the branches of the residual sums in the block that ends at the cut: what stochastic depth drops.
	Residuals []string `json:"residuals,omitempty"`
}

// Find lists the cuts of a model, the first of them before block 1. input is the shape of the model's only input, the batch
// included. A block is a residual unit, of a transformer attention and perceptron together, or a unit of depthwise
// convolutions that ends without an activation; two kinds of units that take turns are one block. In a network without
// units each layer with weights is one. Models that do not raise, and those without weights, are errors.
func Find(m *onnx.Model, input []int) ([]Cut, error) {
	if len(m.Inputs) != 1 {
		return nil, fmt.Errorf("blocks: the model has %d inputs, want one", len(m.Inputs))
	}
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{m.Inputs[0].Name: input}})
	if err != nil {
		return nil, fmt.Errorf("blocks: %w", err)
	}
	f := &finder{model: m, part: part, index: onnx.NewIndex(m), depends: depending(g)}
	f.walk(f.deepest(g))
	ends := f.ends()
	if len(ends) < 2 {
		return nil, fmt.Errorf("blocks: no repeating units are found in the %d tensors that everything passes through; name a tensor to cut at", len(f.cuts))
	}
	var cuts []Cut
	for i, e := range ends {
		c := Cut{Tensor: f.cuts[e].name, Block: i}
		c.Shape = part.Values[c.Tensor].Shape()
		c.Parameters, c.MACs = f.behind(part.Values[c.Tensor])
		if i > 0 {
			for _, k := range f.cuts[ends[i-1]+1 : e+1] {
				c.Residuals = append(c.Residuals, k.branches...)
			}
		}
		cuts = append(cuts, c)
	}
	return cuts, nil
}

// Last is the cut before the last n blocks.
func Last(cuts []Cut, n int) (Cut, error) {
	if n < 1 || n >= len(cuts) {
		return Cut{}, fmt.Errorf("the last %d blocks: want 1 to %d, as many as the network has", n, len(cuts)-1)
	}
	return cuts[len(cuts)-1-n], nil
}

// At is the cut at a tensor.
func At(cuts []Cut, tensor string) (Cut, bool) {
	i := slices.IndexFunc(cuts, func(c Cut) bool { return c.Tensor == tensor })
	if i < 0 {
		return Cut{}, false
	}
	return cuts[i], true
}
