// Package vit turns pretrained vision transformers into ONNX files.
//
// There is one definition of the network (Dosovitskiy et al. 2020, pre-norm
// blocks, learned positions) with options for what CLIP, DINOv2, DeiT and
// SigLIP add to it, and one table of tensor names per source of checkpoints:
// torchvision, timm (whose names DeiT and DINO use too), OpenAI's CLIP, Meta's
// DINOv2, and Hugging Face's ViT, CLIP, SigLIP and DINOv2. Convert reads the sizes
// and options from the tensors and checks every tensor by name and shape;
// Random draws a network from a seed; Export writes a graph that starts at
// uint8 pixels.
//
// Weights are read one tensor at a time when they are needed, so a model of
// any size costs the memory of its largest tensor.
package vit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Config is the shape of one vision transformer. The zero values of the
// options, below Eps, are the plain one.
type Config struct {
	Image   int     // height of the input, pixels; a multiple of Patch
	Across  int     // its width where it is not square, else 0; a multiple of Patch
	Patch   int     // side of a patch, pixels
	Width   int     // size of a token
	Depth   int     // number of blocks
	Heads   int     // attention heads; divides Width
	MLP     int     // hidden size of a block's two-layer perceptron
	Classes int     // outputs of the classifier; 0 is none
	Eps     float32 // of every layer norm

	Activation   Activation // of the perceptrons; "" is GELU
	Gated        bool       // SwiGLU perceptrons: fc1 has twice MLP outputs, SiLU of one half scales the other (DINOv2 giant)
	LayerScale   bool       // a trained factor for each number that a block adds (CaiT, DINOv2)
	PreNorm      bool       // a norm before the blocks (CLIP)
	NoPatchBias  bool       // patches are projected without a bias (CLIP)
	NoClass      bool       // no class token (SigLIP)
	Distilled    bool       // a second class token, with a classifier of its own (DeiT)
	Registers    int        // tokens that stand for nothing (DINOv2)
	NoClassPos   bool       // the class tokens have no position
	AttnPool     bool       // attention pooling by a trained query (SigLIP)
	Projection   int        // size of the projection of the class token (CLIP); 0 is none
	ClassifyMean bool       // the classifier sees cls and mean, one after the other (DINOv2)
	HeadOnMean   bool       // the classifier sees mean alone
	MeanNorm     bool       // a norm of the mean (timm's fc_norm, MAE's fine-tuning)
	NoNorm       bool       // no norm behind the blocks (beside MeanNorm)
	OneHead      bool       // a distillation token without a classifier of its own (Hugging Face's DeiT)
	QKNorm       bool       // queries and keys are normalised head by head (Dehghani et al. 2023)
	QKRMS        bool       // those norms are RMS norms
	RMSNorm      bool       // all others are: x/√(mean x² + ε), scaled (Zhang & Sennrich 2019)
	NoQKVBias    bool       // queries, keys and values are projected without a bias
	NoProjBias   bool       // so is what attention gathers
	NoMLPBias    bool       // and both layers of the perceptrons
	RegisterPos  bool       // registers have positions of their own
	Gray         bool       // one input channel
}

// Activation is the function inside a perceptron.
type Activation string

// The activations in use. They are not shown by tensors, and one taken for
// another still gives features, only worse ones.
const (
	GELU      Activation = "gelu"       // x·Φ(x), by the error function
	TanhGELU  Activation = "gelu_tanh"  // its approximation by tanh (Hendrycks & Gimpel 2016), big_vision's
	QuickGELU Activation = "quick_gelu" // x·sigmoid(1.702x), that of OpenAI's CLIP
)

var activations = []Activation{GELU, TanhGELU, QuickGELU}

// act is the activation with the default put in.
func (c Config) act() Activation { return cmp.Or(c.Activation, GELU) }

// Limits that no published vision transformer comes near; they bound what a
// hostile checkpoint can make loadModel and setImageSize allocate.
const (
	maxImage     = 4096
	maxGrid      = 256
	maxWidth     = 1 << 14
	maxDepth     = 256
	maxClasses   = 1 << 20
	maxRegisters = 256
)

// across is the width of the input, pixels.
func (c Config) across() int { return cmp.Or(c.Across, c.Image) }

// patches is their number.
func (c Config) patches() int { return (c.Image / c.Patch) * (c.across() / c.Patch) }

// classTokens is how many class tokens there are.
func (c Config) classTokens() int {
	switch {
	case c.NoClass:
		return 0
	case c.Distilled:
		return 2
	}
	return 1
}

// prefix is the number of tokens before the patches.
func (c Config) prefix() int { return c.classTokens() + c.Registers }

// tokens is the length of the sequence: class tokens, registers and patches.
func (c Config) tokens() int { return c.prefix() + c.patches() }

// channels are those of the patch embedding's input.
func (c Config) channels() int {
	if c.Gray {
		return 1
	}
	return 3
}

// posPrefix is the number of rows before the patches' in the position embedding.
func (c Config) posPrefix() int {
	switch {
	case c.NoClassPos:
		return 0
	case c.RegisterPos:
		return c.prefix()
	}
	return c.classTokens()
}

// positions is the number of rows of the position embedding.
func (c Config) positions() int { return c.posPrefix() + c.patches() }

// validate reports the first size that cannot be.
func (c Config) validate() error {
	for _, v := range []struct {
		what       string
		n, min, mx int
	}{
		{"patch size", c.Patch, 1, maxImage}, {"image size", c.Image, 1, maxImage}, {"image size", c.across(), 1, maxImage}, {"width", c.Width, 1, maxWidth},
		{"number of blocks", c.Depth, 1, maxDepth}, {"number of heads", c.Heads, 1, maxWidth},
		{"width of the perceptron", c.MLP, 1, 16 * maxWidth}, {"number of classes", c.Classes, 0, maxClasses},
		{"number of registers", c.Registers, 0, maxRegisters}, {"width of the projection", c.Projection, 0, maxWidth},
	} {
		if v.n < v.min || v.n > v.mx {
			return fmt.Errorf("%s is %d, want %d to %d", v.what, v.n, v.min, v.mx)
		}
	}
	for _, n := range []int{c.Image, c.across()} {
		if n%c.Patch != 0 {
			return fmt.Errorf("image size %d is not a multiple of the patch size %d; nearest that are: %d and %d",
				n, c.Patch, max(n/c.Patch, 1)*c.Patch, max(n/c.Patch+1, 2)*c.Patch)
		}
		if n/c.Patch > maxGrid {
			return fmt.Errorf("%d patches a side, want at most %d", n/c.Patch, maxGrid)
		}
	}
	switch {
	case c.Width%c.Heads != 0:
		return fmt.Errorf("%d heads do not divide the width %d", c.Heads, c.Width)
	case !(c.Eps > 0 && c.Eps < 1):
		return fmt.Errorf("layer norm epsilon is %g, want more than 0 and less than 1", c.Eps)
	}
	return c.validateOptions()
}

// validateOptions reports options that exclude each other.
func (c Config) validateOptions() error {
	if !slices.Contains(activations, c.act()) {
		return fmt.Errorf("activation is %q, want one of %v", c.Activation, activations)
	}
	if c.Gated && c.AttnPool {
		return errors.New("SwiGLU together with attention pooling is not supported")
	}
	if !c.NoClass {
		return nil
	}
	switch {
	case c.Distilled || c.Projection > 0 || c.ClassifyMean:
		return errors.New("without a class token there can be no distillation token, projection or classifier of it")
	case c.Classes > 0 && !c.AttnPool && !c.HeadOnMean:
		return errors.New("without a class token a classifier sees attention pooling or the mean of the tokens")
	}
	return nil
}

// size is a published size: the paper's Base, Large and Huge (table 1), DeiT's
// Tiny and Small, Giant and gigantic of Zhai et al. 2021 (table 2), DeiT III's
// Medium, the shape-optimised 400M of Alabdulmohsin et al. 2023, DINOv2's own
// giant, and a small one to be trained from random weights.
type size struct {
	name                     string
	width, depth, heads, mlp int
}

var sizes = []size{
	{"ti", 192, 12, 3, 768}, {"s", 384, 12, 6, 1536}, {"b", 768, 12, 12, 3072}, {"l", 1024, 24, 16, 4096},
	{"h", 1280, 32, 16, 5120}, {"g", 1408, 40, 16, 6144}, {"gg", 1664, 48, 16, 8192},
	{"m", 512, 12, 8, 2048}, {"so400m", 1152, 27, 16, 4304}, {"g2", 1536, 40, 24, 4096},
	{"mini", 96, 4, 3, 384},
}

// of is the plain network of a size.
func (s size) of(image, patch int) Config {
	return Config{Image: image, Patch: patch, Width: s.width, Depth: s.depth, Heads: s.heads, MLP: s.mlp, Eps: torchvision.eps}
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
	if i := slices.IndexFunc(sizes, func(s size) bool { return s.width == width }); i >= 0 {
		return sizes[i].heads, nil
	}
	if width%64 == 0 {
		return width / 64, nil
	}
	return 0, fmt.Errorf("the number of attention heads cannot be told from a width of %d: name it (--heads)", width)
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
