package nets

import (
	"fmt"
	"slices"

	"graft/graph"
)

// block names one residual block, "stages.<i>.<j>", with its channels and stride.
type block struct {
	name            string
	in, out, stride int
}

// project tells whether the shortcut changes shape: by a 1×1 convolution with batch norm.
func (b block) project() bool { return b.in != b.out || b.stride != 1 }

// blocks lists the residual blocks in order.
func (c CNN) blocks() []block {
	var list []block
	in := c.Stem
	for i, out := range c.Stages {
		for j := range c.Blocks {
			b := block{fmt.Sprintf("stages.%d.%d", i, j), in, out, 1}
			if i > 0 && j == 0 {
				b.stride = 2
			}
			list = append(list, b)
			in = out
		}
	}
	return list
}

// residualWeights lists stem.conv, stem.norm, per block conv1, norm1, conv2, norm2, squeeze.down, squeeze.up,
// shortcut.conv, shortcut.norm, and fc; convolutions have no bias, as a norm follows.
func (c CNN) residualWeights() []Weight {
	list := append([]Weight{kernel("stem.conv", c.Stem, c.Channels, 3)}, batchNorm("stem.norm", c.Stem)...)
	for _, b := range c.blocks() {
		list = slices.Concat(list,
			[]Weight{kernel(b.name+".conv1", b.out, b.in, 3)}, batchNorm(b.name+".norm1", b.out),
			[]Weight{kernel(b.name+".conv2", b.out, b.out, 3)}, batchNorm(b.name+".norm2", b.out))
		if c.Squeeze > 0 {
			list = slices.Concat(list, affine(b.name+".squeeze.down", b.out/c.Squeeze, b.out), affine(b.name+".squeeze.up", b.out, b.out/c.Squeeze))
		}
		if b.project() {
			list = append(append(list, kernel(b.name+".shortcut.conv", b.out, b.in, 1)), batchNorm(b.name+".shortcut.norm", b.out)...)
		}
	}
	return append(list, affine("fc", c.Outputs, c.Stages[len(c.Stages)-1])...)
}

func (c CNN) residual(p pass, x *graph.Node) *graph.Node {
	if c.Standardize {
		x = p.standardize(x)
	}
	x = p.named("stem", func() *graph.Node {
		return p.MaxPool(p.Relu(p.batchNorm("stem.norm", p.conv("stem.conv", x, 1, 1))), graph.Pool2(2))
	})
	for _, b := range c.blocks() {
		x = p.residualBlock(b, x, c.Squeeze)
	}
	x = p.named("mean", func() *graph.Node { return p.Mean(x, 2, 3) }) // [N,C]
	x = p.dropout("fc", x, c.Dropout)
	return p.named("fc", func() *graph.Node { return p.linear("fc", x) })
}

// residualBlock is relu(f(x) + shortcut(x)): [N,in,H,W] → [N,out,H/stride,W/stride].
func (p pass) residualBlock(b block, x *graph.Node, squeeze int) *graph.Node {
	y := p.named(b.name+".conv1", func() *graph.Node {
		return p.Relu(p.batchNorm(b.name+".norm1", p.conv(b.name+".conv1", x, b.stride, 1)))
	})
	y = p.named(b.name+".conv2", func() *graph.Node {
		return p.batchNorm(b.name+".norm2", p.conv(b.name+".conv2", y, 1, 1))
	})
	if squeeze > 0 {
		y = p.named(b.name+".squeeze", func() *graph.Node { return p.squeeze(b.name+".squeeze", y) })
	}
	if b.project() {
		x = p.named(b.name+".shortcut", func() *graph.Node {
			return p.batchNorm(b.name+".shortcut.norm", p.conv(b.name+".shortcut.conv", x, b.stride, 0))
		})
	}
	return p.named(b.name+".sum", func() *graph.Node { return p.Relu(p.Add(y, x)) })
}

// squeeze weighs each channel of x [N,C,H,W] by a gate that sees all channels' means (Hu et al. 2018). The sigmoid is
// written (1+tanh(z/2))/2.
func (p pass) squeeze(name string, x *graph.Node) *graph.Node {
	z := p.Relu(p.linear(name+".down", p.Mean(x, 2, 3)))
	z = p.linear(name+".up", z)
	gate := p.Scale(p.Add(p.Tanh(p.Scale(z, 0.5)), p.Scalar(1)), 0.5)
	return p.Mul(x, p.Reshape(gate, x.Dim(0), x.Dim(1), 1, 1))
}
