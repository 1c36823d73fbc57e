package vit

import (
	"fmt"
	"strings"
)

// config reads sizes and options from the tensors.
func (l *loader) config(o LoadOptions) (Config, error) {
	patch, err := l.shape("patch.weight", 4)
	if err != nil {
		return Config{}, err
	}
	c := l.family.always
	c.Width, c.Patch, c.Depth, c.Heads = patch[0], patch[2], l.depth(), o.Heads
	c.Eps, c.Activation = l.family.eps, l.family.activation
	if o.Activation != "" {
		c.Activation = o.Activation
	}
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
	return c, c.Validate()
}

// options reads what the network has beside the plain one, by what is there.
func (l *loader) options(c *Config) error {
	c.Distilled = l.any("dist", "head_dist.weight", "head_dist.bias")
	c.AttnPool = l.any("pool.query", "pool.q.weight", "pool.q.bias", "pool.proj.weight", "pool.proj.bias", "pool.norm.weight")
	if l.family.classless && !l.any("cls") {
		// A classifier of anything but attention pooling sees the class token.
		c.NoClass = c.AttnPool || !l.any("head.weight", "head.bias")
	}
	if !c.PreNorm && l.any("norm_pre.weight", "norm_pre.bias") {
		// timm's CLIP: patches have no bias, norms PyTorch's own epsilon.
		c.PreNorm, c.NoPatchBias, c.Eps = true, true, 1e-5
	}
	for i := range min(c.Depth, maxDepth) {
		c.LayerScale = c.LayerScale || l.any(fmt.Sprintf("blocks.%d.ls1", i), fmt.Sprintf("blocks.%d.ls2", i))
	}
	if l.any("registers") {
		shape, err := l.shape("registers", 3)
		if err != nil {
			return err
		}
		c.Registers = shape[1]
	}
	return nil
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

// grid reads the patches along one side from the position embedding, which has
// rows for the class tokens or, in some of timm's networks, none.
func (l *loader) grid(c *Config) error {
	shape, err := l.shape("pos", 3)
	if err != nil {
		return err
	}
	for _, prefix := range []int{c.classTokens(), 0} {
		if prefix == 0 && !c.NoClass && !l.family.classless {
			break
		}
		for g := 1; g <= maxGrid; g++ {
			if prefix+g*g == shape[1] {
				c.Image, c.NoClassPos = g*c.Patch, prefix == 0 && !c.NoClass
				return nil
			}
		}
	}
	n, _ := l.find("pos")
	return fmt.Errorf("tensor %q: %v is not %s and a square grid of at most %d by %d patches", n.names[0], shape, l.classWords(*c), maxGrid, maxGrid)
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

// heads reads the classifier and the projection, where there is one.
func (l *loader) heads(c *Config) error {
	if l.any("head.weight", "head.bias") {
		shape, err := l.shape("head.weight", 2)
		if err != nil {
			return err
		}
		c.Classes = shape[0]
	}
	c.ClassifyMean = c.ClassifyMean && c.Classes > 0
	if l.any("proj.weight") {
		shape, err := l.shape("proj.weight", 2)
		if err != nil {
			return err
		}
		c.Projection = shape[0]
	}
	return nil
}
