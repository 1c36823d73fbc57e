package vit

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/preprocess"
)

// config reads sizes and options from the tensors.
func (l *loader) config(o loadOptions) (Config, error) {
	patch, err := l.shape("patch.weight", 4)
	if err != nil {
		return Config{}, err
	}
	c := l.family.always
	c.Width, c.Patch, c.Depth = patch[0], patch[2], l.depth()
	c.Gray = patch[1] == 1
	c.Heads, c.Eps = cmp.Or(o.Heads, l.beside.heads), cmp.Or(l.beside.eps, l.family.eps)
	c.Activation = cmp.Or(o.Activation, l.beside.activation, l.family.activation, GELU)
	for _, read := range []func(*Config) error{l.options, l.grid, l.perceptron, l.heads} {
		if err := read(&c); err != nil {
			return Config{}, err
		}
	}
	if c.Gated && o.Activation != "" {
		return Config{}, fmt.Errorf("activation %q (--activation): the perceptrons are SwiGLU, whose activation is given", o.Activation)
	}
	if c.Heads == 0 {
		if c.Heads, err = headsOf(c.Width); err != nil {
			return Config{}, err
		}
	}
	return c, c.validate()
}

// options reads what the network has beside the plain one, by what is there.
func (l *loader) options(c *Config) error {
	c.Distilled = l.any("dist", "head_dist.weight", "head_dist.bias")
	c.AttnPool = l.any("pool.query", "pool.q.weight", "pool.q.bias", "pool.proj.weight", "pool.proj.bias", "pool.norm.weight")
	c.NoClass = c.NoClass || l.family.classless && !l.any("cls") && (c.AttnPool || !l.any("head.weight", "head.bias") || l.squarePatches())
	c.MeanNorm = l.any("fc_norm.weight", "fc_norm.bias")
	c.NoNorm = c.MeanNorm && !l.any("norm.weight", "norm.bias")
	c.QKNorm = l.any("blocks.0.q_norm.weight", "blocks.0.q_norm.bias", "blocks.0.k_norm.weight", "blocks.0.k_norm.bias")
	c.QKRMS = c.QKNorm && !l.anyBlock(*c, "q_norm.bias", "k_norm.bias")
	c.RMSNorm = l.any("blocks.0.norm1.weight") && !l.any("norm.bias", "fc_norm.bias", "norm_pre.bias") && !l.anyBlock(*c, "norm1.bias", "norm2.bias")
	c.NoQKVBias = !l.anyBlock(*c, "qkv.bias")
	c.NoProjBias = !l.anyBlock(*c, "proj.bias")
	c.NoMLPBias = !l.anyBlock(*c, "fc1.bias", "fc2.bias")
	if c.QKNorm && c.Heads == 0 {
		if shape, err := l.shape("blocks.0.q_norm.weight", 1); err == nil && shape[0] > 0 {
			c.Heads = c.Width / shape[0]
		}
	}
	if !c.PreNorm && l.any("norm_pre.weight", "norm_pre.bias") {
		// timm's CLIP: patches have no bias, norms PyTorch's own epsilon.
		c.PreNorm, c.NoPatchBias, c.Eps = true, true, cmp.Or(l.beside.eps, 1e-5)
	}
	c.LayerScale = c.LayerScale || l.anyBlock(*c, "ls1", "ls2")
	if l.any("registers") {
		shape, err := l.shape("registers", 3)
		if err != nil {
			return err
		}
		c.Registers = shape[1]
	}
	return nil
}

// anyBlock tells whether a block has one of the tensors.
func (l *loader) anyBlock(c Config, ours ...string) bool {
	for i := range min(c.Depth, maxDepth) {
		for _, name := range ours {
			if l.any(fmt.Sprintf("blocks.%d.%s", i, name)) {
				return true
			}
		}
	}
	return false
}

// depth is one more than the highest number of a block.
func (l *loader) depth() int {
	depth := 0
	for _, name := range l.file.Names() {
		if i, ok := l.family.blockNumber(name, l.prefix); ok {
			depth = max(depth, i+1)
		}
	}
	return depth
}

// grid reads the input's size from the position embedding, which has rows for the class tokens or, in
// some of timm's networks, none, or for registers too: the size that was stated, else a square. A size
// of --image-size that does not fit is one to be interpolated to.
func (l *loader) grid(c *Config) error {
	shape, err := l.shape("pos", 3)
	if _, there := l.find("pos"); !there {
		return fmt.Errorf("%w: networks whose positions are no table, but rotary or relative (EVA-02, DINOv3, BEiT), are not read; as an ONNX file that torch.onnx.export wrote they run", err)
	}
	if err != nil {
		return err
	}
	if l.fits(c, shape[1]) {
		return nil
	}
	if stated := l.size; stated.by == byFlag {
		if l.size = l.beside.size; l.size.bad != nil {
			l.size = inputSize{}
		}
		if l.fits(c, shape[1]) {
			return nil
		}
		l.size = stated
	}
	want := fmt.Sprintf("a square grid of at most %d by %d patches (--image-size HxW states another)", maxGrid, maxGrid)
	if l.size.by != "" {
		want = fmt.Sprintf("the patches of %s pixels, which %s states", preprocess.FormatSize(l.size.height, l.size.width), l.size.by)
	}
	pos, _ := l.find("pos")
	return fmt.Errorf("tensor %q: %v is not %s and %s", pos.names[0], shape, l.classWords(*c), want)
}

// fits finds the input's size for so many rows of positions, with one of the kinds of rows before the patches'.
func (l *loader) fits(c *Config, rows int) bool {
	prefixes := []int{c.classTokens()}
	if l.family.classless {
		prefixes = append(prefixes, 0, c.prefix())
	}
	for _, prefix := range prefixes {
		n := rows - prefix
		c.NoClassPos, c.RegisterPos = prefix == 0 && !c.NoClass, prefix > c.classTokens()
		c.Image, c.Across = l.size.height, l.size.width
		if g := int(math.Sqrt(float64(max(n, 0)))); l.size.by == "" && n > 0 && g*g == n && g <= maxGrid {
			c.Image, c.Across = g*c.Patch, 0
			return true
		}
		if l.size.by != "" && c.Patch > 0 && n > 0 && c.patches() == n {
			return true
		}
	}
	c.NoClassPos, c.RegisterPos = false, false
	return false
}

// classWords tells the class tokens found, and those not.
func (l *loader) classWords(c Config) string {
	var found, missing []string
	for _, ours := range []string{"cls", "dist"} {
		if n, ok := l.find(ours); ok {
			found = append(found, fmt.Sprintf("%q", n.names[0]))
		} else if len(n.names) > 0 {
			missing = append(missing, fmt.Sprintf("%q", n.names[0]))
		}
	}
	if c.NoClass || len(found) == 0 {
		found = []string{"no class token"}
	}
	words := strings.Join(found, ", ")
	if len(missing) > 0 {
		words += " (there is no " + strings.Join(missing, " and no ") + ")"
	}
	return words
}

// perceptron reads the hidden size. Where fc1 has twice the numbers that fc2
// takes, one half of them gates the other.
func (l *loader) perceptron(c *Config) error {
	fc1, err := l.shape("blocks.0.fc1.weight", 2)
	if err != nil {
		return err
	}
	c.MLP = fc1[0]
	if fc2, err := l.shape("blocks.0.fc2.weight", 2); l.family.gated && err == nil && 2*fc2[1] == fc1[0] {
		c.Gated, c.MLP = true, fc2[1]
	}
	return nil
}

// squarePatches tells whether the positions are those of a square of patches alone.
func (l *loader) squarePatches() bool {
	shape, err := l.shape("pos", 3)
	if err != nil {
		return false
	}
	g := int(math.Sqrt(float64(shape[1])))
	return g > 0 && g*g == shape[1]
}

// heads reads the projection, where there is one, and the classifier, where it is one linear
// layer on what the network's kind classifies: any other is left out (see behind).
func (l *loader) heads(c *Config) error {
	c.HeadOnMean = !c.AttnPool && (c.NoClass || c.MeanNorm || l.beside.pool == "avg")
	c.OneHead = c.Distilled && l.family == &huggingFace && !l.any("head_dist.weight", "head_dist.bias")
	if l.linear("head", c.headInput()) && (!c.Distilled || c.OneHead || l.linear("head_dist", c.Width)) {
		shape, _ := l.shape("head.weight", 2)
		c.Classes = shape[0]
	}
	if c.Classes == 0 {
		c.ClassifyMean, c.HeadOnMean, c.OneHead = false, false, false
	}
	if l.any("proj.weight") {
		shape, err := l.shape("proj.weight", 2)
		if err != nil {
			return err
		}
		c.Projection = shape[0]
	}
	return nil
}

// linear tells whether there is a linear layer of so many inputs under the name, and nothing
// else that belongs to it.
func (l *loader) linear(name string, inputs int) bool {
	weight, err := l.shape(name+".weight", 2)
	bias, berr := l.shape(name+".bias", 1)
	if err != nil || berr != nil || weight[1] != inputs || weight[0] != bias[0] {
		return false
	}
	n, _ := l.find(name + ".weight")
	part := l.part(n.names[0])
	return !slices.ContainsFunc(l.file.Names(), func(other string) bool {
		return strings.HasPrefix(other, l.prefix+"pre_logits.") || l.part(other) == part && !strings.HasPrefix(other, strings.TrimSuffix(n.names[0], "weight"))
	})
}
