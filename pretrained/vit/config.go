// Package vit turns pretrained vision transformers into ONNX files.
//
// There is one definition of the network (Dosovitskiy et al. 2020, pre-norm
// blocks, class token, learned positions) with options, and one table of
// tensor names per source of checkpoints: torchvision, timm (whose names DeiT
// and DINO use too) and Hugging Face's ViTModel. Load reads the sizes from the
// tensors and checks every tensor by name and shape; Random draws a network
// from a seed; Export writes a graph that starts at uint8 pixels.
//
// Weights are read one tensor at a time when they are needed, so a model of
// any size costs the memory of its largest tensor.
package vit

import (
	"fmt"
	"math"
)

// Config is the shape of one vision transformer.
type Config struct {
	Image   int     // side of the square input, pixels; a multiple of Patch
	Patch   int     // side of a patch, pixels
	Width   int     // size of a token
	Depth   int     // number of blocks
	Heads   int     // attention heads; divides Width
	MLP     int     // hidden size of a block's two-layer perceptron
	Classes int     // outputs of the classifier; 0 is none
	Eps     float32 // of every layer norm
}

// Limits that no published vision transformer comes near; they bound what a
// hostile checkpoint can make Load and SetImageSize allocate.
const (
	maxImage   = 4096
	maxGrid    = 256
	maxWidth   = 1 << 14
	maxDepth   = 256
	maxClasses = 1 << 20
)

// Grid is the number of patches along one side.
func (c Config) Grid() int { return c.Image / c.Patch }

// Tokens is the length of the sequence: the class token and the patches.
func (c Config) Tokens() int { return 1 + c.Grid()*c.Grid() }

// Params is the number of trained parameters.
func (c Config) Params() int64 {
	total := int64(0)
	for _, s := range layout(c) {
		total += int64(elements(s.shape))
	}
	return total
}

// Validate reports the first size that cannot be.
func (c Config) Validate() error {
	for _, v := range []struct {
		what       string
		n, min, mx int
	}{
		{"patch size", c.Patch, 1, maxImage}, {"image size", c.Image, 1, maxImage}, {"width", c.Width, 1, maxWidth},
		{"number of blocks", c.Depth, 1, maxDepth}, {"number of heads", c.Heads, 1, maxWidth},
		{"width of the perceptron", c.MLP, 1, 16 * maxWidth}, {"number of classes", c.Classes, 0, maxClasses},
	} {
		if v.n < v.min || v.n > v.mx {
			return fmt.Errorf("%s is %d, want %d to %d", v.what, v.n, v.min, v.mx)
		}
	}
	switch {
	case c.Image%c.Patch != 0:
		return fmt.Errorf("image size %d is not a multiple of the patch size %d; nearest that are: %d and %d",
			c.Image, c.Patch, c.Image/c.Patch*c.Patch, (c.Image/c.Patch+1)*c.Patch)
	case c.Grid() > maxGrid:
		return fmt.Errorf("%d patches a side, want at most %d", c.Grid(), maxGrid)
	case c.Width%c.Heads != 0:
		return fmt.Errorf("%d heads do not divide the width %d", c.Heads, c.Width)
	case !(c.Eps > 0 && c.Eps < 1):
		return fmt.Errorf("layer norm epsilon is %g, want more than 0 and less than 1", c.Eps)
	}
	return nil
}

// size is a published size: the paper's Base, Large and Huge (table 1), DeiT's
// Tiny and Small, and Giant and gigantic of Zhai et al. 2021 (table 2).
type size struct {
	name                     string
	width, depth, heads, mlp int
}

var sizes = []size{
	{"ti", 192, 12, 3, 768}, {"s", 384, 12, 6, 1536}, {"b", 768, 12, 12, 3072}, {"l", 1024, 24, 16, 4096},
	{"h", 1280, 32, 16, 5120}, {"g", 1408, 40, 16, 6144}, {"gg", 1664, 48, 16, 8192},
}

// Arch is a short name: vit_b_16 for a published size, else one that spells
// the sizes out.
func (c Config) Arch() string {
	for _, s := range sizes {
		if s.width == c.Width && s.depth == c.Depth && s.heads == c.Heads && s.mlp == c.MLP {
			return fmt.Sprintf("vit_%s_%d", s.name, c.Patch)
		}
	}
	return fmt.Sprintf("vit_w%d_d%d_h%d_%d", c.Width, c.Depth, c.Heads, c.Patch)
}

// headsOf tells the number of heads of a width. Tensors do not show it: the
// published sizes are known, and every other ViT in common use has 64 numbers
// a head.
func headsOf(width int) (int, error) {
	for _, s := range sizes {
		if s.width == width {
			return s.heads, nil
		}
	}
	if width%64 == 0 {
		return width / 64, nil
	}
	return 0, fmt.Errorf("the number of attention heads cannot be told from a width of %d: name it (--heads)", width)
}

// spec names one tensor of the network and its shape in row-major order,
// linear weights being [out, in].
type spec struct {
	name  string
	shape []int
}

// layout lists every tensor of a network under graft's own names, in the order
// of use.
func layout(c Config) []spec {
	list := []spec{
		{"patch.weight", []int{c.Width, 3, c.Patch, c.Patch}}, {"patch.bias", []int{c.Width}},
		{"cls", []int{1, 1, c.Width}}, {"pos", []int{1, c.Tokens(), c.Width}},
	}
	pair := func(name string, shape ...int) {
		list = append(list, spec{name + ".weight", shape}, spec{name + ".bias", shape[:1]})
	}
	for i := range c.Depth {
		b := fmt.Sprintf("blocks.%d.", i)
		pair(b+"norm1", c.Width)
		pair(b+"qkv", 3*c.Width, c.Width)
		pair(b+"proj", c.Width, c.Width)
		pair(b+"norm2", c.Width)
		pair(b+"fc1", c.MLP, c.Width)
		pair(b+"fc2", c.Width, c.MLP)
	}
	pair("norm", c.Width)
	if c.Classes > 0 {
		pair("head", c.Classes, c.Width)
	}
	return list
}

// elements is the product of a shape, or MaxInt where that overflows.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		if d > 0 && n > math.MaxInt/d {
			return math.MaxInt
		}
		n *= d
	}
	return n
}
