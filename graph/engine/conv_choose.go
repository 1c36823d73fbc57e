package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// fewImages is up to how many of them a convolution takes one by one: interleaved, sixteen cost as much as one.
const fewImages = 8

// smallBlock is the number of elements up to which sixteen images stay in the second-level cache.
const smallBlock = 64 << 10

// largeBlock is the number of elements from which sixteen images come from memory again for every six channels of results:
// too slow where each is used but once for them, by kernels of one element.
const largeBlock = 256 << 10

// chooseConv interleaves many images for training, and at inference where they are small or lie so already. Else they are
// taken one by one: as matrix products, or of several groups by vectors along the rows.
func chooseConv(c *compiler, n *graph.Node) kernel {
	x, w := n.Inputs()[0], n.Inputs()[1]
	a, block := n.Attrs().(graph.ConvAttrs), x.Shape()[1:].Size()*vec.Lanes
	interleaved := c.made[place{c.root(x), lanes}] || block <= smallBlock
	if c.convolutionsTrain() {
		interleaved = block <= largeBlock || !pointwise(a, w)
	}
	switch {
	case n.Dim(0) > fewImages && interleaved:
		return kernel{in: []layout{lanes}, out: lanes, emit: emitConv}
	case a.Groups == 1:
		return kernel{emit: emitConvProducts}
	}
	return kernel{emit: emitConvGroups}
}

// chooseConvInputGrad interleaves images but for kernels of one element, whose gradient is a product as they are.
func chooseConvInputGrad(_ *compiler, n *graph.Node) kernel {
	dy, w := n.Inputs()[0], n.Inputs()[1]
	few, large := n.Dim(0) <= fewImages, dy.Shape()[1:].Size()*vec.Lanes > largeBlock
	if pointwise(n.Attrs().(graph.ConvInputGradAttrs).ConvAttrs, w) && (few || large) {
		return kernel{emit: emitPointwiseInputGrad}
	}
	return kernel{in: []layout{lanes}, out: lanes, emit: emitConvInputGrad}
}

// pointwise tells whether a convolution is a product of its weights and each image.
func pointwise(a graph.ConvAttrs, w *graph.Node) bool {
	return w.Dim(2) == 1 && w.Dim(3) == 1 && a == graph.ConvAttrs{Stride: [2]int{1, 1}, Dilation: a.Dilation, Groups: 1}
}

// convolutionsTrain tells whether gradients go through convolutions: they are computed on interleaved images.
func (c *compiler) convolutionsTrain() bool {
	return slices.ContainsFunc(c.nodes, func(n *graph.Node) bool {
		return n.Op() == graph.OpConvInputGrad || n.Op() == graph.OpConvWeightGrad
	})
}
