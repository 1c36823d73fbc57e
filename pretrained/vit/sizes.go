package vit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"graft/preprocess"
)

// maxConfig bounds what is read of a config.json.
const maxConfig = 1 << 20

// config reads sizes and options from the tensors.
func (l *loader) config(o loadOptions) (Config, error) {
	patch, err := l.shape("patch.weight", 4)
	if err != nil {
		return Config{}, err
	}
	c := l.family.always
	c.Width, c.Patch, c.Depth, c.Heads = patch[0], patch[2], l.depth(), o.Heads
	c.Eps, c.Activation = l.family.eps, cmp.Or(o.Activation, l.family.activation, GELU)
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

// inputSize is the size of the input that somebody stated, pixels.
type inputSize struct {
	height, width int    // width is 0 of a square
	by            string // "" where nobody did
}

// statedSize is the image_size of Hugging Face's config.json beside a file of
// weights, a side or a height and a width.
func statedSize(weights string) (inputSize, error) {
	path := filepath.Join(filepath.Dir(weights), "config.json")
	f, err := os.Open(path)
	if err != nil {
		return inputSize{}, nil
	}
	defer f.Close()
	type config struct {
		Size json.RawMessage `json:"image_size"`
	}
	var c struct {
		config
		Vision config `json:"vision_config"` // of CLIP and SigLIP
	}
	if json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&c) != nil || len(c.Size)+len(c.Vision.Size) == 0 {
		return inputSize{}, nil // another program's
	}
	word := cmp.Or(string(c.Vision.Size), string(c.Size))
	h, w, err := preprocess.ParseSize(strings.Join(strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("[, ]\n", r) }), "x"))
	if err != nil {
		return inputSize{}, fmt.Errorf("image_size of %s is %s: %w", path, word, err)
	}
	return inputSize{h, w, path}, nil
}

// grid reads the input's size from the position embedding, which has rows for the
// class tokens or, in some of timm's networks, none: the size that was stated, else
// a square.
func (l *loader) grid(c *Config) error {
	shape, err := l.shape("pos", 3)
	if err != nil {
		return err
	}
	want := fmt.Sprintf("a square grid of at most %d by %d patches (--image-size HxW states another)", maxGrid, maxGrid)
	if l.size.by != "" {
		want = fmt.Sprintf("the patches of %s pixels, which %s states", preprocess.FormatSize(l.size.height, l.size.width), l.size.by)
	}
	for _, prefix := range []int{c.classTokens(), 0} {
		if prefix == 0 && !c.NoClass && !l.family.classless {
			break
		}
		n := shape[1] - prefix
		c.NoClassPos = prefix == 0 && !c.NoClass
		if g := int(math.Sqrt(float64(n))); l.size.by == "" && n > 0 && g*g == n && g <= maxGrid {
			c.Image = g * c.Patch
			return nil
		}
		c.Image, c.Across = l.size.height, l.size.width
		if l.size.by != "" && c.Patch > 0 && c.patches() == n {
			return nil
		}
	}
	pos, _ := l.find("pos")
	return fmt.Errorf("tensor %q: %v is not %s and %s", pos.names[0], shape, l.classWords(*c), want)
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
