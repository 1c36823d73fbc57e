package engine

import (
	"graft/graph"
	"graft/graph/engine/vec"
)

// layout is how a value's elements lie in memory.
type layout uint8

const (
	// plain is row-major.
	plain layout = iota
	// lanes interleaves images: [N,C,H,W] lies as [⌈N/16⌉,C,H,W,16], so that the inner loops of convolution and pooling
	// run over full vectors whatever the width of the image. Lanes past the last image hold anything.
	lanes
)

// place is one value in one layout. node is a root, or in the interleaved layout a reshaped value of rank 4.
type place struct {
	node   *graph.Node
	layout layout
}

func blocks(images int) int { return (images + vec.Lanes - 1) / vec.Lanes }

// size is the number of elements of a value in its layout.
func (p place) size() int {
	s := p.node.Shape()
	if p.layout == plain {
		return s.Size()
	}
	return blocks(s[0]) * vec.Lanes * s[1:].Size()
}

// shape is the shape as it lies in memory.
func (l layout) shape(s graph.Shape) graph.Shape {
	if l == plain {
		return s
	}
	return graph.Shape{blocks(s[0]), s[1], s[2], s[3], vec.Lanes}
}

// lanesStrides are an operand's strides under the interleaved shape of a result; ok is false if it varies over the
// images, as then it does not repeat within a block.
func lanesStrides(operand, result graph.Shape) (strides []int, ok bool) {
	s := operand.StridesIn(result)
	return append(append([]int{0}, s[1:]...), 0), s[0] == 0
}
