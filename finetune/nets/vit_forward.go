package nets

import (
	"fmt"

	"graft/graph"
)

// vitPass is a ViT's forward pass under construction.
type vitPass struct {
	pass
	v ViT
}

// stem halves the image with each convolution.
func (p vitPass) stem(x *graph.Node) *graph.Node {
	for i := range p.v.Stem {
		name := fmt.Sprintf("stem.%d", i)
		x = p.named(name, func() *graph.Node {
			return p.Relu(p.batchNorm(name+".norm", p.conv(name+".conv", x, 2, 1)))
		})
	}
	return x
}

// embed cuts x [N,C,H,W] into patches in row order, each [C,P,P] read row by row, and makes tokens [N,T,D] of them.
func (p vitPass) embed(x *graph.Node) *graph.Node {
	n, c, size, width := x.Dim(0), x.Dim(1), p.v.Patch, p.v.Width
	grid := p.v.stemSide() / size
	x = p.Reshape(x, n, c, grid, size, grid, size)
	x = p.Reshape(p.Transpose(x, 0, 2, 4, 1, 3, 5), n, grid*grid, c*size*size)
	x = p.MatMul(x, p.w("C"))
	positions := p.w("pe") // [1,T,D]
	if p.v.Pool == PoolClass {
		// The class token is a row of zeros plus a table, so that the batch's size appears in no constant.
		x = p.Pad(x, []int{0, 1, 0}, []int{0, 0, 0})
		positions = p.Add(positions, p.Pad(p.w("classification_token"), []int{0, 0, 0}, []int{0, grid * grid, 0}))
	}
	return p.Reshape(p.Add(x, positions), n, p.v.tokens(), width)
}

// block applies block i to x [N,T,D].
func (p vitPass) block(x *graph.Node, i int) *graph.Node {
	name, place := p.v.blockName(i), fmt.Sprintf("block%d", i)
	pre := p.v.Norm == NormPre
	h := x
	if pre {
		h = p.named(place+".norm", func() *graph.Node { return p.layerNorm(name+".norm", x) })
	}
	x = p.named(place+".heads", func() *graph.Node {
		sum := p.Add(x, p.dropout(place+".heads", p.heads(name, h), p.v.Dropout))
		if pre {
			return sum
		}
		return p.Relu(sum)
	})
	if !pre {
		x = p.named(place+".norm", func() *graph.Node { return p.layerNorm(name+".norm", x) })
	}
	if p.v.MLP == 0 {
		return x
	}
	return p.perceptron(x, name, place)
}

// perceptron is a block's second half.
func (p vitPass) perceptron(x *graph.Node, name, place string) *graph.Node {
	pre := p.v.Norm == NormPre
	h := x
	if pre {
		h = p.named(place+".norm2", func() *graph.Node { return p.layerNorm(name+".norm2", x) })
	}
	h = p.named(place+".mlp.fc1", func() *graph.Node { return p.Gelu(p.linear(name+".mlp.fc1", h)) })
	x = p.named(place+".mlp.fc2", func() *graph.Node {
		return p.Add(x, p.dropout(place+".mlp", p.linear(name+".mlp.fc2", h), p.v.Dropout))
	})
	if pre {
		return x
	}
	return p.named(place+".norm2", func() *graph.Node { return p.layerNorm(name+".norm2", x) })
}

// heads is multi-head attention of x [N,T,D]. The heads' matrices are joined first: three products for all of them.
func (p vitPass) heads(name string, x *graph.Node) *graph.Node {
	n, t, d, h := x.Dim(0), x.Dim(1), p.v.Width, p.v.Heads
	project := func(part string) *graph.Node {
		matrices := make([]*graph.Node, h)
		for i := range matrices {
			matrices[i] = p.w(headName(name, i, part))
		}
		all := p.Reshape(p.MatMul(x, p.Concat(1, matrices...)), n, t, h, d/h)
		return p.Transpose(all, 0, 2, 1, 3) // [N,h,T,d/h]
	}
	mixed := p.Attention(project("Q"), project("K"), project("V"), nil)
	mixed = p.Reshape(p.Transpose(mixed, 0, 2, 1, 3), n, t, d)
	if p.v.Projection {
		mixed = p.linear(name+".multi_head.proj", mixed)
	}
	return mixed
}

// pool is what the logits read of x [N,T,D]: [N,T·D] or [N,D].
func (p vitPass) pool(x *graph.Node) *graph.Node {
	switch p.v.Pool {
	case PoolClass:
		return p.Reshape(p.Slice(x, 1, 0, 1), x.Dim(0), -1)
	case PoolMean:
		return p.Mean(x, 1)
	}
	return p.Reshape(x, x.Dim(0), -1)
}
